package test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	networking "k8s.io/api/networking/v1"

	core "k8s.io/api/core/v1"
)

// What kustomize makes of the directories is a house.
func TestKustomize(t *testing.T) {
	for _, tt := range []struct {
		dir, want string
		replicas  int32
	}{
		{"sqlite", "ConfigMap Ingress NetworkPolicy Service ServiceAccount StatefulSet", 1},
		{"postgres", "ConfigMap Deployment HorizontalPodAutoscaler Ingress NetworkPolicy PodDisruptionBudget Service ServiceAccount", 3},
	} {
		t.Run(tt.dir, func(t *testing.T) {
			h := holds(t, kustomized(t, "../kubernetes/"+tt.dir))
			if got := h.list(); got != tt.want || *h.replicas != tt.replicas {
				t.Errorf("got %s with %d replicas, want %s with %d", got, *h.replicas, tt.want, tt.replicas)
			}
			if tt.dir == "postgres" && (h.template.Spec.Affinity.PodAntiAffinity == nil || len(h.template.Spec.TopologySpreadConstraints) == 0) {
				t.Error("all replicas may be on one machine")
			}
		})
	}
}

// list is the kinds of the objects.
func (h *house) list() string {
	var kinds []string
	for _, o := range h.all {
		kinds = append(kinds, o.Kind)
	}
	slices.Sort(kinds)
	return strings.Join(kinds, " ")
}

const (
	least    = "appURL: https://id.example.org\n"
	postgres = least + "database: {type: postgres, existingSecret: id-db, key: url}\nencryptionKey: {existingSecret: id-key}\n"
)

// What the chart makes of values is a house.
func TestHelm(t *testing.T) {
	for _, tt := range []struct{ name, values, want string }{
		{"has SQLite unless told otherwise", least, "Service ServiceAccount StatefulSet"},
		{"takes a key that is there", least + "encryptionKey: {existingSecret: id-key}\nimage: {digest: 'sha256:" + strings.Repeat("0a", 32) + "'}\n", "Service ServiceAccount StatefulSet"},
		{"takes a claim that is there", least + "persistence: {existingClaim: old}\n", "Service ServiceAccount StatefulSet"},
		{"has an ingress with TLS and a policy", least + "ingress: {enabled: true, annotations: {cert-manager.io/cluster-issuer: le}}\nnetworkPolicy: {enabled: true}\n", "Ingress NetworkPolicy Service ServiceAccount StatefulSet"},
		{"lets nobody in", least + "networkPolicy: {enabled: true, from: []}\n", "NetworkPolicy Service ServiceAccount StatefulSet"},
		{"has several processes on PostgreSQL", postgres, "Deployment PodDisruptionBudget Service ServiceAccount"},
		{"has all there is", postgres + "autoscaling: {enabled: true}\ningress: {enabled: true, tls: {secretName: wild}}\nnetworkPolicy: {enabled: true, from: [web, monitoring]}\n" +
			"env: {LOG_JSON: 'true', AUDIT_LOG_RETENTION_DAYS: '30'}\nenvFromSecrets: [{name: SETUP_TOKEN, secret: id-key, key: setup}]\nimagePullSecrets: [{name: pull}]\nnodeSelector: {disk: ssd}\n" +
			"tolerations: [{key: only, operator: Exists}]\npodAnnotations: {a: b}\npodLabels: {team: id}\npersistence: {storageClass: fast}\n",
			"Deployment HorizontalPodAutoscaler Ingress NetworkPolicy PodDisruptionBudget Service ServiceAccount"},
	} {
		t.Run("it "+tt.name, func(t *testing.T) {
			text, err := helmed(t, tt.values)
			if err != nil {
				t.Fatal(err)
			}
			h := holds(t, objects(t, text))
			if got := h.list(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			for _, o := range h.all {
				if i, ok := o.Value.(*networking.Ingress); ok && len(i.Spec.TLS) != 1 {
					t.Error("no TLS")
				}
			}
		})
	}
}

// The schema of the chart refuses what cannot be meant.
func TestValuesThatAreRefused(t *testing.T) {
	if _, err := helmed(t, least); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, values string }{
		{"no address", "replicas: 1\n"},
		{"an address with a path", "appURL: https://id.example.org/login\n"},
		{"an address without a scheme", "appURL: id.example.org\n"},
		{"a name that is not there", least + "ingres: {enabled: true}\n"},
		{"a name within that is not there", least + "image: {tags: '1'}\n"},
		{"the tag latest", least + "image: {tag: latest}\n"},
		{"a digest that is none", least + "image: {digest: 'sha256:1'}\n"},
		{"another database", least + "database: {type: mysql}\n"},
		{"PostgreSQL without a connection", least + "database: {type: postgres}\nencryptionKey: {existingSecret: k}\n"},
		{"PostgreSQL without a key", least + "database: {type: postgres, existingSecret: db}\n"},
		{"a number as text", least + "replicas: '3'\n"},
		{"no replicas", least + "replicas: 0\n"},
		{"a number as a variable", least + "env: {LOG_JSON: true}\n"},
		{"a variable that has a place of its own", least + "env: {ENCRYPTION_KEY: open}\n"},
		{"a secret without its key", least + "envFromSecrets: [{name: SETUP_TOKEN, secret: s}]\n"},
		{"a size without a unit", least + "persistence: {size: '1'}\n"},
		{"a port beyond", least + "service: {port: 70000}\n"},
		{"a ServiceMonitor of nothing", least + "metrics: {serviceMonitor: {enabled: true}}\n"},
		{"a name of metrics that is not there", least + "metrics: {enabled: true, port: 9464}\n"},
		{"a name of a ServiceMonitor that is not there", least + "metrics: {enabled: true, serviceMonitor: {enabled: true, path: /}}\n"},
		{"a time without a unit", least + "metrics: {serviceMonitor: {interval: '30'}}\n"},
		{"a time that is a number", least + "metrics: {serviceMonitor: {interval: 30}}\n"},
		{"no time", least + "metrics: {serviceMonitor: {interval: 0s}}\n"},
		{"a label that is no text", least + "metrics: {serviceMonitor: {labels: {release: 1}}}\n"},
		{"a label that the chart has", least + "metrics: {serviceMonitor: {labels: {app.kubernetes.io/name: mine}}}\n"},
		{"a namespace that is none", least + "metrics: {from: [Monitoring]}\n"},
		{"a namespace without a list", least + "metrics: {from: monitoring}\n"},
		{"a variable of metrics that has a place of its own", least + "env: {OTEL_METRICS_EXPORTER: prometheus}\n"},
		{"an address of metrics that has a place of its own", least + "env: {OTEL_EXPORTER_PROMETHEUS_HOST: localhost}\n"},
		{"a port of metrics that the others would not know", least + "env: {OTEL_EXPORTER_PROMETHEUS_PORT: '9465'}\n"},
	} {
		t.Run("it refuses "+tt.name, func(t *testing.T) {
			if _, err := helmed(t, tt.values); !errors.Is(err, errValues) {
				t.Errorf("%v", err)
			}
		})
	}
}

// The template of Sealos, filled in, is a house with everything that its pages ask for.
func TestSealos(t *testing.T) {
	all := filled(t, "../sealos/template.yaml")
	head, ok := all[0].Value.(*sealosTemplate)
	if !ok {
		t.Fatalf("the first document is a %s", all[0].Kind)
	}
	h := holds(t, all[1:])
	if got := fmt.Sprint(all[1].Kind, " ", all[2].Kind, " ", all[3].Kind, " ", all[4].Kind, " ", len(all)); got != "StatefulSet Service Ingress App 5" {
		t.Errorf("the documents are %s", got)
	}
	s := head.Spec
	for what, text := range map[string]string{"title": s.Title, "url": s.URL, "gitRepo": s.GitRepo, "author": s.Author, "description": s.Description, "readme": s.Readme, "icon": s.Icon,
		"zh title": s.I18n["zh"].Title, "zh description": s.I18n["zh"].Description, "zh readme": s.I18n["zh"].Readme} {
		if text == "" {
			t.Errorf("%s is empty", what)
		}
	}
	if s.TemplateType != "inline" || s.Locale != "en" || !slices.Equal(s.Categories, []string{"tool"}) || len(s.Defaults) != 3 {
		t.Errorf("the template is %+v", s)
	}
	for _, name := range []string{"app_host", "app_name", "encryption_key"} {
		if s.Defaults[name].Type != "string" || s.Defaults[name].Value == "" {
			t.Errorf("the default %s is %+v", name, s.Defaults[name])
		}
	}
	name, host := s.Defaults["app_name"].Value, s.Defaults["app_host"].Value
	for _, o := range all[1:] {
		labels := map[string]string{}
		switch v := o.Value.(type) {
		case *sealosApp:
			labels = v.Labels
			if v.Spec.Data.URL != h.env()["APP_URL"] || v.Spec.DisplayType != "normal" || v.Spec.Type != "link" || v.Spec.Icon != s.Icon || v.Spec.Name != name {
				t.Errorf("the App is %+v", v.Spec)
			}
		case *networking.Ingress:
			labels = v.Labels
			if v.Labels["cloud.sealos.io/app-deploy-manager-domain"] != host || v.Annotations["kubernetes.io/ingress.class"] != "nginx" ||
				v.Annotations["nginx.ingress.kubernetes.io/ssl-redirect"] != "true" || v.Spec.TLS[0].SecretName != "wildcard-cert" {
				t.Errorf("the ingress is %+v", v)
			}
		case *core.Service:
			labels = v.Labels
		default:
			labels = h.labels
		}
		if labels["cloud.sealos.io/app-deploy-manager"] != name || o.Name != name {
			t.Errorf("%s %s has the labels %v", o.Kind, o.Name, labels)
		}
	}
	r, claim, text := h.app.Resources, h.claims[0], read(t, "../sealos/template.yaml")
	if r.Limits.Cpu().String() != "200m" || r.Limits.Memory().String() != "256Mi" || r.Requests.Cpu().String() != "20m" || r.Requests.Memory().String() != "25Mi" {
		t.Errorf("resources are %+v", r)
	}
	if claim.Name != "vn-appvn-data" || claim.Annotations["path"] != "/app/data" || claim.Annotations["value"] != "1" || claim.Spec.Resources.Requests.Storage().String() != "1Gi" {
		t.Errorf("the volume is %+v", claim)
	}
	if !strings.Contains(text, "originImageName: "+h.app.Image+"\n") || h.app.Name != name || h.env()["ENCRYPTION_KEY"] != s.Defaults["encryption_key"].Value {
		t.Errorf("the container is %+v", h.app)
	}
}
