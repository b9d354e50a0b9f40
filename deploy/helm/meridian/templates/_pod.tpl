{{/*
What origins and edges have in common. Given: root, role, settings (origins or edges), service (the headless one), tokenKey,
command, args (of the container, as lists).
*/}}
{{- define "meridian.pod" -}}
{{- $root := .root -}}
{{- $drain := $root.Values.drain -}}
{{- $secured := not $root.Values.insecure -}}
metadata:
  labels:
    {{- include "meridian.labels" (list $root .role) | nindent 4 }}
  annotations:
    # Options are read at the start: pods are restarted, one by one, when they change. Not so for `bootstrap`.
    checksum/options: {{ toYaml .settings.options | sha256sum }}
    {{- with .settings.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "meridian.name" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add $drain.lingerSeconds $drain.waitSeconds 15 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 1000
    runAsGroup: 1000
    fsGroup: 1000
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  containers:
    - name: meridian
      image: "{{ $root.Values.image.repository }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}"
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      command: {{ toJson .command }}
      args:
        {{- toYaml .args | nindent 8 }}
      env:
        - name: POD_NAME
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        - name: POD_NAMESPACE
          valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
        - name: POD_ADDRESS
          # As /etc/hosts has it, so that a pod which ends still finds itself.
          value: $(POD_NAME).{{ .service }}.$(POD_NAMESPACE).svc.{{ $root.Values.clusterDomain }}:7100
        - name: MERIDIAN_NAME
          value: $(POD_NAME)
        - name: MERIDIAN_ADVERTISE
          value: {{ if .settings.advertiseDomain }}$(POD_NAME).{{ .settings.advertiseDomain }}:7100{{ else }}$(POD_ADDRESS){{ end }}
        {{- with .settings.region }}
        - name: MERIDIAN_REGION
          value: {{ . | quote }}
        {{- end }}
        # Of commands that run beside the node: kubectl exec POD -- meridian status
        - name: MERIDIAN_ENDPOINT
          value: $(POD_ADDRESS)
        {{- if $secured }}
        - name: MERIDIAN_ADMIN_TOKEN_FILE
          value: /etc/meridian/tokens/{{ $root.Values.tokens.adminKey }}
        - name: MERIDIAN_TOKEN_FILE
          value: /etc/meridian/tokens/{{ .tokenKey }}
        - name: MERIDIAN_TLS_CERT
          value: /etc/meridian/tls/tls.crt
        - name: MERIDIAN_TLS_KEY
          value: /etc/meridian/tls/tls.key
        - name: MERIDIAN_TLS_CA
          value: /etc/meridian/tls/ca.crt
        {{- else }}
        - name: MERIDIAN_INSECURE
          value: 'true'
        {{- end }}
      ports:
        - {name: grpc, containerPort: 7100}
        - {name: http, containerPort: 8100}
      # A store may be verified whole before it serves.
      startupProbe:
        httpGet: {path: /livez, port: http, scheme: {{ ternary "HTTPS" "HTTP" $secured }}}
        periodSeconds: 5
        failureThreshold: 120
      livenessProbe:
        httpGet: {path: /livez, port: http, scheme: {{ ternary "HTTPS" "HTTP" $secured }}}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: http, scheme: {{ ternary "HTTPS" "HTTP" $secured }}}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 1
      lifecycle:
        preStop:
          exec:
            command:
              - meridian
              - drain
              - --linger={{ $drain.lingerSeconds }}s
              - --wait={{ $drain.waitSeconds }}s
              {{- if $secured }}
              - --token-file=/etc/meridian/tokens/{{ $root.Values.tokens.adminKey }}
              {{- end }}
      resources:
        {{- toYaml .settings.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
        - {name: config, mountPath: /etc/meridian/config, readOnly: true}
        {{- if $secured }}
        - {name: tokens, mountPath: /etc/meridian/tokens, readOnly: true}
        - {name: tls, mountPath: /etc/meridian/tls, readOnly: true}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
    - name: config
      configMap: {name: {{ include "meridian.name" $root }}}
    {{- if $secured }}
    - name: tokens
      secret: {secretName: {{ $root.Values.tokens.existingSecret | quote }}, defaultMode: 0440}
    - name: tls
      secret: {secretName: {{ $root.Values.tls.existingSecret | quote }}, defaultMode: 0440}
    {{- end }}
  {{- with .settings.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .settings.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .settings.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if .settings.topologySpreadConstraints }}
    {{- toYaml .settings.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "meridian.selector" (list $root .role) | nindent 10 }}
    {{- end }}
{{- end -}}

{{/* The volume of each pod. */}}
{{- define "meridian.volumeClaims" -}}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata:
    name: data
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .persistence.storageClass }}
    storageClassName: {{ . | quote }}
    {{- end }}
    resources:
      requests:
        storage: {{ .persistence.size | quote }}
{{- end -}}
