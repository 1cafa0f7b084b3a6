package test

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// measures is the port at which the program tells Prometheus how it is, or 0 where it does not.
func (h *house) measures(t *testing.T) int32 {
	t.Helper()
	env := h.env()
	if env["OTEL_METRICS_EXPORTER"] != "prometheus" {
		return 0
	}
	port := env["OTEL_EXPORTER_PROMETHEUS_PORT"]
	if port == "" {
		port = fallback(t, "OTEL_EXPORTER_PROMETHEUS_PORT")
	}
	n, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		t.Error(err)
	}
	return int32(n)
}

// watched checks that everything is there for Prometheus, or nothing.
func (h *house) watched(t *testing.T) {
	t.Helper()
	want := map[string]int32{"http": 1411}
	if port := h.measures(t); port != 0 {
		want["metrics"] = port
		// Pods are asked at their own addresses.
		if ip := net.ParseIP(h.env()["OTEL_EXPORTER_PROMETHEUS_HOST"]); ip == nil || !ip.IsUnspecified() {
			t.Errorf("nobody in the cluster reaches the metrics at %q", h.env()["OTEL_EXPORTER_PROMETHEUS_HOST"])
		}
	}
	got, services := map[string]int32{}, map[string]int32{}
	for _, p := range h.app.Ports {
		got[p.Name] = p.ContainerPort
	}
	for _, s := range of[core.Service](h) {
		for _, p := range s.Spec.Ports {
			services[p.Name] = h.port(t, p.TargetPort)
		}
	}
	if !maps.Equal(got, want) || !maps.Equal(services, want) {
		t.Errorf("the container has the ports %v, services %v, want %v", got, services, want)
	}
}

// monitored checks that a ServiceMonitor selects the Service of the metrics alone, and asks
// for what there is.
func (h *house) monitored(t *testing.T, m *monitoring.ServiceMonitor) {
	t.Helper()
	selector, err := meta.LabelSelectorAsSelector(&m.Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	var selected []*core.Service
	for _, s := range of[core.Service](h) {
		if selector.Matches(labels.Set(s.Labels)) {
			selected = append(selected, s)
		}
	}
	if len(selected) != 1 || len(m.Spec.Endpoints) != 1 || !reflect.DeepEqual(m.Spec.NamespaceSelector, monitoring.NamespaceSelector{}) {
		t.Fatalf("it selects %d services: %+v", len(selected), m.Spec)
	}
	s, e := selected[0], m.Spec.Endpoints[0]
	if s.Namespace != m.Namespace || s.Labels[m.Spec.JobLabel] != "pocket-id" {
		t.Errorf("%s/%s is asked from %s as the job %q", s.Namespace, s.Name, m.Namespace, s.Labels[m.Spec.JobLabel])
	}
	if p := s.Spec.Ports[0]; e.Port != "metrics" || p.Name != e.Port || h.port(t, p.TargetPort) != h.measures(t) || p.Port != h.measures(t) {
		t.Errorf("the port %q is asked, the service has %+v", e.Port, p)
	}
	if e.Path != "/metrics" || e.Scheme != "" || e.HonorLabels {
		t.Errorf("it asks for %+v", e)
	}
	if every, err := time.ParseDuration(string(e.Interval)); err != nil || every < time.Second {
		t.Errorf("it asks every %q", e.Interval)
	}
}

// reached is which namespaces a policy lets in, by the container's port.
func (h *house) reached(t *testing.T, v *networking.NetworkPolicy) map[int32][]string {
	t.Helper()
	all := map[int32][]string{}
	for _, rule := range v.Spec.Ingress {
		if len(rule.From) == 0 || len(rule.Ports) == 0 {
			t.Errorf("the policy lets everybody in, or everywhere: %+v", rule)
		}
		for _, from := range rule.From {
			n := from.NamespaceSelector
			if n == nil || len(n.MatchLabels) != 1 || n.MatchLabels[core.LabelMetadataName] == "" || len(n.MatchExpressions) != 0 || from.PodSelector != nil || from.IPBlock != nil {
				t.Errorf("the policy lets in %+v", from)
				continue
			}
			for _, p := range rule.Ports {
				if p.Port == nil || p.EndPort != nil || p.Protocol == nil || *p.Protocol != core.ProtocolTCP {
					t.Errorf("the policy opens %+v", p)
					continue
				}
				at := h.port(t, *p.Port)
				all[at] = append(all[at], n.MatchLabels[core.LabelMetadataName])
			}
		}
	}
	return all
}

// of are the objects of a type.
func of[T any](h *house) (all []*T) {
	for _, o := range h.all {
		if v, ok := o.Value.(*T); ok {
			all = append(all, v)
		}
	}
	return all
}

// lets checks whom the one policy lets in.
func (h *house) lets(t *testing.T, want map[int32][]string) {
	t.Helper()
	policies := of[networking.NetworkPolicy](h)
	if len(policies) != 1 {
		t.Fatalf("there are %d policies", len(policies))
	}
	if got := h.reached(t, policies[0]); !reflect.DeepEqual(got, want) {
		t.Errorf("the policy lets in %v, want %v", got, want)
	}
}

// directories is a copy of deploy, in which the manifests of Kubernetes may be changed.
func directories(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "deploy/kubernetes"), os.DirFS("../kubernetes")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const (
	withSQLite   = "ConfigMap Ingress NetworkPolicy Service Service ServiceAccount ServiceMonitor StatefulSet"
	withPostgres = "ConfigMap Deployment HorizontalPodAutoscaler Ingress NetworkPolicy PodDisruptionBudget Service Service ServiceAccount ServiceMonitor"
)

// Both installations take the component, within themselves.
func TestMonitoringComponent(t *testing.T) {
	for _, tt := range []struct{ dir, want string }{{"sqlite", withSQLite}, {"postgres", withPostgres}} {
		t.Run(tt.dir, func(t *testing.T) {
			dir := filepath.Join(directories(t), "deploy/kubernetes", tt.dir)
			write(t, dir+"/kustomization.yaml", read(t, dir+"/kustomization.yaml")+"components: [../monitoring]\n")
			h := holds(t, kustomized(t, dir))
			if got := h.list(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			h.lets(t, map[int32][]string{1411: {"ingress-nginx"}, 9464: {"monitoring"}})
			if e := of[monitoring.ServiceMonitor](h)[0].Spec.Endpoints[0]; e.Interval != "30s" {
				t.Errorf("it is asked every %s", e.Interval)
			}
		})
	}
}
