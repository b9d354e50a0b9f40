{{/* RELEASE-meridian, or RELEASE where that says meridian already. */}}
{{- define "meridian.name" -}}
{{- if contains "meridian" .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-meridian" (.Release.Name | trunc 30 | trimSuffix "-") }}
{{- end -}}
{{- end -}}

{{- define "meridian.originService" -}}
{{ include "meridian.name" . }}-origin
{{- end -}}

{{- define "meridian.edgeService" -}}
{{ include "meridian.name" . }}-edge-pods
{{- end -}}

{{/* Of one role: (list . "origin"). */}}
{{- define "meridian.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: meridian
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "meridian.labels" -}}
{{- $root := index . 0 -}}
{{ include "meridian.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{/* Refuses values that no node would start with. */}}
{{- define "meridian.check" -}}
{{- if not .Values.insecure -}}
{{- if not .Values.tokens.existingSecret -}}
{{- fail "tokens.existingSecret must name a secret with the administrator's token; or say insecure: true, and whoever reaches the ports may do everything" -}}
{{- end -}}
{{- if not .Values.tls.existingSecret -}}
{{- fail "tls.existingSecret must name a secret with tls.crt, tls.key and ca.crt; or say insecure: true, and connections are in the clear" -}}
{{- end -}}
{{- end -}}
{{- if and (eq (int .Values.origins.replicas) 0) (gt (int .Values.edges.replicas) 0) (not .Values.edges.upstreams) -}}
{{- fail "origins.replicas is 0, so edges.upstreams must name nodes to follow" -}}
{{- end -}}
{{- end -}}

{{/* host:port of each origin of this release, separated by commas. */}}
{{- define "meridian.originAddresses" -}}
{{- $addresses := list -}}
{{- range $ordinal := until (int .Values.origins.replicas) -}}
{{- $pod := printf "%s-origin-%d" (include "meridian.name" $) $ordinal -}}
{{- $addresses = append $addresses (printf "%s.%s.%s.svc.%s:7100" $pod (include "meridian.originService" $) $.Release.Namespace $.Values.clusterDomain) -}}
{{- end -}}
{{- join "," $addresses -}}
{{- end -}}
