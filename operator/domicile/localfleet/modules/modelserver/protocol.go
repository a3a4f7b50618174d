package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
)

// A request may hold at most this many bytes: the server runs under a small memory limit.
const maxBody = 4 << 20

// Server answers KServe's v1 and v2 (Open Inference) HTTP protocols for one model.
type Server struct {
	name  string
	model atomic.Pointer[Model] // nil until the model file could be read
}

type v1Request struct {
	Instances [][]float64 `json:"instances"`
}

type v2Tensor struct {
	Name     string    `json:"name"`
	Datatype string    `json:"datatype"`
	Shape    []int     `json:"shape"`
	Data     []float64 `json:"data"`
}

type v2Request struct {
	ID     string     `json:"id"`
	Inputs []v2Tensor `json:"inputs"`
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v2/health/live" {
		answer(w, http.StatusOK, map[string]bool{"live": true})
		return
	}
	model := s.model.Load()
	if model == nil {
		refuse(w, http.StatusServiceUnavailable, "the model is not loaded yet")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	switch path := strings.TrimSuffix(r.URL.Path, "/"); path {
	case "", "/v1/models", "/v2/health/ready":
		answer(w, http.StatusOK, map[string]any{"ready": true, "live": true, "models": []string{s.name}})
	case "/v1/models/" + s.name, "/v2/models/" + s.name, "/v2/models/" + s.name + "/ready":
		answer(w, http.StatusOK, map[string]any{"name": s.name, "ready": true, "versions": []string{model.Version}})
	case "/v1/models/" + s.name + ":predict":
		predict(w, r, model)
	case "/v2/models/" + s.name + "/infer":
		s.infer(w, r, model)
	default:
		refuse(w, http.StatusNotFound, fmt.Sprintf("no such path: %s (the model is %q)", r.URL.Path, s.name))
	}
}

func predict(w http.ResponseWriter, r *http.Request, model *Model) {
	var request v1Request
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	classes, probabilities := []int{}, [][]float64{}
	for _, row := range request.Instances {
		each, err := model.probabilities(row)
		if err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		classes, probabilities = append(classes, argmax(each)), append(probabilities, each)
	}
	answer(w, http.StatusOK, map[string]any{
		"predictions": classes, "probabilities": probabilities, "model_version": model.Version,
	})
}

func (s *Server) infer(w http.ResponseWriter, r *http.Request, model *Model) {
	var request v2Request
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	rows, err := request.rows()
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	classes, flat := []int{}, []float64{}
	for _, row := range rows {
		each, err := model.probabilities(row)
		if err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		classes, flat = append(classes, argmax(each)), append(flat, each...)
	}
	answer(w, http.StatusOK, map[string]any{
		"model_name": s.name, "model_version": model.Version, "id": request.ID,
		"outputs": []any{
			map[string]any{"name": "predict", "datatype": "INT64", "shape": []int{len(rows)}, "data": classes},
			map[string]any{"name": "proba", "datatype": "FP64", "shape": []int{len(rows), model.outputs()}, "data": flat},
		},
	})
}

func (q v2Request) rows() ([][]float64, error) {
	if len(q.Inputs) != 1 || len(q.Inputs[0].Shape) != 2 {
		return nil, fmt.Errorf("one input of shape [rows, features] is needed")
	}
	tensor := q.Inputs[0]
	count, width := tensor.Shape[0], tensor.Shape[1]
	if count < 0 || width <= 0 || len(tensor.Data)%width != 0 || len(tensor.Data)/width != count {
		return nil, fmt.Errorf("shape %v does not fit %d values", tensor.Shape, len(tensor.Data))
	}
	rows := make([][]float64, count)
	for i := range rows {
		rows[i] = tensor.Data[i*width : (i+1)*width]
	}
	return rows, nil
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, code int, reason string) {
	answer(w, code, map[string]string{"error": reason})
}
