{{/* Name of the release's objects. Short enough that every suffix we add still fits in 63 characters. */}}
{{- define "domicile.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "domicile" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-domicile" (.Release.Name | trunc 31 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "domicile.selectorLabels" -}}
app.kubernetes.io/name: domicile
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "domicile.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "domicile.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: domicile
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "domicile.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "domicile.fullname" .) -}}
{{- else -}}
{{- required "serviceAccount.name must be given when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "domicile.image" -}}
{{- $repository := required "image.repository must be given: no image is published, build one with the Dockerfile (or set operator.enabled=false)" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* "true" where the admission policies are to be made, empty where not. */}}
{{- define "domicile.admission" -}}
{{- if eq (toString .Values.admission.enabled) "auto" -}}
{{- if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}true{{- end -}}
{{- else if .Values.admission.enabled -}}true{{- end -}}
{{- end -}}

{{/* Who may take the finalizer off, as a CEL list. */}}
{{- define "domicile.operatorUsernames" -}}
{{- $names := .Values.admission.operatorUsernames | default (list (printf "system:serviceaccount:%s:%s" .Release.Namespace (include "domicile.serviceAccountName" .))) -}}
[{{- range $i, $name := $names }}{{ if $i }}, {{ end }}'{{ $name }}'{{ end -}}]
{{- end -}}
