{{/* What is fixed about each app: its port, the prefix of its environment, whether it handles media files. */}}
{{- define "arr-stack.apps" -}}
sonarr: { port: 8989, env: SONARR, media: true }
radarr: { port: 7878, env: RADARR, media: true }
prowlarr: { port: 9696, env: PROWLARR, media: false }
{{- end }}

{{/* Labels that select the pods of one app; never to be changed, a Deployment's selector is immutable.
     Argument: dict "root" $ "app" name. */}}
{{- define "arr-stack.selector" -}}
app.kubernetes.io/name: {{ .app }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Labels of every object. No chart version: it changes with every commit, and with it every object would. */}}
{{- define "arr-stack.labels" -}}
{{ include "arr-stack.selector" . }}
app.kubernetes.io/part-of: arr-stack
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* Refuses keys that no template reads. values.schema.json cannot: it is also a Cozystack openAPISchema, and
     `additionalProperties: false` there breaks API servers before Cozystack 1.6.
     Arguments: dict "values" map "known" list "path" text. */}}
{{- define "arr-stack.knownKeys" -}}
{{- range $key, $_ := .values }}
{{- if not (or (has $key $.known) (hasPrefix "_" $key)) }}
{{- fail (printf "values: unknown key %s%s; known here: %s" $.path $key (join ", " $.known)) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "arr-stack.check" -}}
{{- $apps := keys (include "arr-stack.apps" . | fromYaml) | sortAlpha }}
{{- $known := dict
  "" (concat (list "mediaClaim" "mediaPath" "storageClass" "retain" "timeZone" "userId" "groupId"
    "auth" "apiKeys" "ingress" "global") $apps)
  "auth." (list "method" "required")
  "apiKeys." (list "secretName")
  "ingress." (list "enabled" "className" "domain" "annotations" "tls" "clusterIssuer" "tlsSecret")
  "app." (list "enabled" "image" "configSize" "host" "env" "resources")
  "image." (list "repository" "tag")
}}
{{- include "arr-stack.knownKeys" (dict "values" .Values "known" (get $known "") "path" "") }}
{{- range list "auth" "apiKeys" "ingress" }}
{{- $path := printf "%s." . }}
{{- include "arr-stack.knownKeys" (dict "values" (get $.Values .) "known" (get $known $path) "path" $path) }}
{{- end }}
{{- range $apps }}
{{- $path := printf "%s." . }}
{{- $app := get $.Values . }}
{{- include "arr-stack.knownKeys" (dict "values" $app "known" (get $known "app.") "path" $path) }}
{{- $path = printf "%simage." $path }}
{{- include "arr-stack.knownKeys" (dict "values" $app.image "known" (get $known "image.") "path" $path) }}
{{- end }}
{{- with .Values.global }}
{{- fail (printf "values: this chart reads nothing below global (found %s)" (keys . | sortAlpha | join ", ")) }}
{{- end }}
{{- end }}
