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

{{/* CEL: the value of an annotation of ours, or '' where there is none. (list OBJECT KEY) */}}
{{- define "domicile.annotation" -}}
{{ index . 0 }}.metadata.?annotations[?'domicile.dev/{{ index . 1 }}'].orValue('')
{{- end -}}

{{/* CEL: the JSON patch that sets an annotation of ours to who makes the request. */}}
{{- define "domicile.stamped" -}}
(has(object.metadata.annotations) ? [] : [JSONPatch{op: "add", path: "/metadata/annotations", value: Object.metadata.annotations{}}])
+ [JSONPatch{op: "add", path: "/metadata/annotations/domicile.dev~1{{ . }}", value: request.userInfo.username}]
{{- end -}}

{{/* CEL: the JSON patch that takes an annotation of ours away where it is. */}}
{{- define "domicile.unstamped" -}}
(object.metadata.?annotations[?'domicile.dev/{{ . }}'].hasValue()
? [JSONPatch{op: "remove", path: "/metadata/annotations/domicile.dev~1{{ . }}"}] : [])
{{- end -}}

{{/* The bindings that put a pair of admission policies in force, for all objects that they match. (list CONTEXT SUFFIX) */}}
{{- define "domicile.inForce" -}}
{{- $name := include "domicile.fullname" (index . 0) -}}
{{- $suffix := index . 1 -}}
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata:
  name: {{ $name }}-stamp{{ $suffix }}
  labels:
    {{- include "domicile.labels" (index . 0) | nindent 4 }}
spec:
  policyName: {{ $name }}-stamp{{ $suffix }}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ $name }}-guard{{ $suffix }}
  labels:
    {{- include "domicile.labels" (index . 0) | nindent 4 }}
spec:
  policyName: {{ $name }}-guard{{ $suffix }}
  validationActions: [Deny]
{{- end -}}

{{/* Variables of a policy that wants a change confirmed: the reason, who gave it, and both as they were. */}}
{{- define "domicile.confirmation.variables" -}}
- name: why
  expression: "{{ include "domicile.annotation" (list "object" "confirmed-change") }}"
- name: whyBefore
  expression: "oldObject == null ? '' : {{ include "domicile.annotation" (list "oldObject" "confirmed-change") }}"
- name: by
  expression: "{{ include "domicile.annotation" (list "object" "confirmed-by") }}"
- name: byBefore
  expression: "oldObject == null ? '' : {{ include "domicile.annotation" (list "oldObject" "confirmed-by") }}"
{{- end -}}

{{/* Validations beside the one that asks for a reason. `variables.changed`: whether the spec changes. The stamping policy's name. */}}
{{- define "domicile.confirmation.validations" -}}
# A reason comes with the change that it is for: later it could not be told from one that was given at the time.
- expression: "oldObject == null || variables.why == variables.whyBefore || variables.changed"
  reason: Forbidden
  messageExpression: >-
    "annotation domicile.dev/confirmed-change says why a change of spec was confirmed, and goes with that change: set it in "
    + "the same update. Until then leave it as it is, '" + variables.whyBefore + "' (kubectl apply does; kubectl replace "
    + "needs it in the file)."
- expression: "oldObject == null || variables.why == variables.whyBefore || variables.why.trim().size() >= 10"
  reason: Forbidden
  message: annotation domicile.dev/confirmed-change must be a reason of 10 characters or more, and cannot be removed.
- expression: >-
    oldObject == null || (variables.why == variables.whyBefore ? variables.by == variables.byBefore
    : variables.by == request.userInfo.username)
  reason: Forbidden
  messageExpression: >-
    "annotation domicile.dev/confirmed-by must be '"
    + (variables.why == variables.whyBefore ? variables.byBefore : request.userInfo.username) + "' and is '" + variables.by
    + "': the API server sets it to who gives the reason in domicile.dev/confirmed-change, and nobody else can. Leave it as "
    + "it is. If you have not set it, the MutatingAdmissionPolicy {{ . }} did not act: ask who installed "
    + "Domicile."
{{- end -}}
