package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
)

// Model is a softmax (multinomial logistic) regression as scikit-learn's LogisticRegression fits it:
// one row of coefficients and one intercept per class. A single row is a binary logistic regression.
type Model struct {
	Version string      `json:"version"`
	Classes []string    `json:"classes"`
	Coef    [][]float64 `json:"coef"`
	Bias    []float64   `json:"bias"`
}

func readModel(path string) (*Model, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var model Model
	if err := json.Unmarshal(raw, &model); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &model, model.check(path)
}

func (m *Model) check(path string) error {
	if len(m.Coef) == 0 || len(m.Coef) != len(m.Bias) {
		return fmt.Errorf("%s: %d rows of coefficients and %d intercepts", path, len(m.Coef), len(m.Bias))
	}
	for i, row := range m.Coef {
		if len(row) != len(m.Coef[0]) {
			return fmt.Errorf("%s: row %d has %d coefficients, row 0 has %d", path, i, len(row), len(m.Coef[0]))
		}
	}
	if classes := m.outputs(); len(m.Classes) != 0 && len(m.Classes) != classes {
		return fmt.Errorf("%s: %d class names for %d classes", path, len(m.Classes), classes)
	}
	return nil
}

func (m *Model) features() int { return len(m.Coef[0]) }

func (m *Model) outputs() int { return max(2, len(m.Coef)) }

// Probabilities of each class for one row of features.
func (m *Model) probabilities(row []float64) ([]float64, error) {
	if len(row) != m.features() {
		return nil, fmt.Errorf("the model takes %d features, this row has %d", m.features(), len(row))
	}
	scores := make([]float64, len(m.Coef))
	for i, weights := range m.Coef {
		scores[i] = m.Bias[i]
		for j, value := range row {
			scores[i] += weights[j] * value
		}
	}
	if len(scores) == 1 { // binary: the score is the log odds of the second class
		second := 1 / (1 + math.Exp(-scores[0]))
		return []float64{1 - second, second}, nil
	}
	return softmax(scores), nil
}

func softmax(scores []float64) []float64 {
	highest, sum := math.Inf(-1), 0.0
	for _, score := range scores {
		highest = math.Max(highest, score)
	}
	out := make([]float64, len(scores))
	for i, score := range scores {
		out[i] = math.Exp(score - highest)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

func argmax(values []float64) int {
	best := 0
	for i, value := range values {
		if value > values[best] {
			best = i
		}
	}
	return best
}
