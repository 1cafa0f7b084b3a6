package test

import (
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
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

// block is a piece of code in the page on deployment, by how it begins.
func block(t *testing.T, begins string) (piece map[string]any) {
	t.Helper()
	_, after, found := strings.Cut(read(t, "../../docs/deployment.md"), "\n\n    "+begins)
	if !found {
		t.Fatalf("the page has no piece that begins with %q", begins)
	}
	var b strings.Builder
	for line := range strings.Lines("    " + begins + after) {
		if !strings.HasPrefix(line, "    ") && line != "\n" {
			break
		}
		b.WriteString(strings.TrimPrefix(line, "    "))
	}
	if err := yaml.UnmarshalStrict([]byte(b.String()), &piece); err != nil {
		t.Fatal(err)
	}
	return piece
}

// What the page on deployment tells to write works: the component beside an address, a
// namespace and an image of one's own, and what is put over the component.
func TestMonitoringAsThePageSays(t *testing.T) {
	for _, tt := range []struct{ dir, want string }{{"sqlite", withSQLite}, {"postgres", withPostgres}} {
		t.Run(tt.dir, func(t *testing.T) {
			dir, all := directories(t), block(t, "# kustomization.yaml\n")
			for name, more := range block(t, "components:\n") {
				list, _ := all[name].([]any)
				all[name] = append(list, more.([]any)...)
			}
			all["resources"] = []any{"deploy/kubernetes/" + tt.dir}
			text, err := yaml.Marshal(all)
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir+"/kustomization.yaml", string(text))
			h := holds(t, kustomized(t, dir))
			if got := h.list(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			h.lets(t, map[int32][]string{1411: {"ingress-nginx"}, 9464: {"observability"}})
			m := of[monitoring.ServiceMonitor](h)[0]
			if h.env()["APP_URL"] != "https://id.your.domain" || m.Namespace != "pocket-id" || m.Labels["release"] != "prometheus" {
				t.Errorf("the address is %q, the ServiceMonitor in %q with %v", h.env()["APP_URL"], m.Namespace, m.Labels)
			}
		})
	}
}

// The chart has for Prometheus what its values say.
func TestHelmMetrics(t *testing.T) {
	const monitor = "metrics: {enabled: true, serviceMonitor: {enabled: true}}\n"
	for _, tt := range []struct {
		name, values, want string
		lets               map[int32][]string
		interval           monitoring.Duration
		labels             map[string]string
	}{
		{name: "has nothing of it unless told", values: least + "networkPolicy: {enabled: true}\nmetrics: {from: [watch]}\n", want: "NetworkPolicy Service ServiceAccount StatefulSet",
			lets: map[int32][]string{1411: {"ingress-nginx"}}},
		{name: "has the port without the operator", values: least + "metrics: {enabled: true}\n", want: "Service Service ServiceAccount StatefulSet"},
		{name: "has it without a policy", values: least + monitor, want: "Service Service ServiceAccount ServiceMonitor StatefulSet", interval: "30s"},
		{name: "has it with several processes", values: postgres + monitor, want: "Deployment PodDisruptionBudget Service Service ServiceAccount ServiceMonitor", interval: "30s"},
		{name: "lets Prometheus in", values: postgres + monitor + "networkPolicy: {enabled: true}\n", want: "Deployment NetworkPolicy PodDisruptionBudget Service Service ServiceAccount ServiceMonitor",
			lets: map[int32][]string{1411: {"ingress-nginx"}, 9464: {"monitoring"}}, interval: "30s"},
		{name: "lets in whom it is told, every minute, with labels", want: "NetworkPolicy Service Service ServiceAccount ServiceMonitor StatefulSet",
			values: least + "networkPolicy: {enabled: true, from: [web]}\nservice: {port: 80}\nmetrics: {enabled: true, from: [watch, 'true'], serviceMonitor: {enabled: true, interval: 1m, labels: {release: prometheus, scraped: 'true'}}}\n",
			lets:   map[int32][]string{1411: {"web"}, 9464: {"watch", "true"}}, interval: "1m", labels: map[string]string{"release": "prometheus", "scraped": "true"}},
		{name: "lets Prometheus in alone", values: least + "networkPolicy: {enabled: true, from: []}\nmetrics: {enabled: true}\n", want: "NetworkPolicy Service Service ServiceAccount StatefulSet",
			lets: map[int32][]string{9464: {"monitoring"}}},
		{name: "keeps Prometheus out", values: least + "networkPolicy: {enabled: true}\nmetrics: {enabled: true, from: []}\n", want: "NetworkPolicy Service Service ServiceAccount StatefulSet",
			lets: map[int32][]string{1411: {"ingress-nginx"}}},
		{name: "keeps everybody out", values: least + "networkPolicy: {enabled: true, from: []}\nmetrics: {enabled: true, from: []}\n", want: "NetworkPolicy Service Service ServiceAccount StatefulSet",
			lets: map[int32][]string{}},
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
			if tt.lets != nil {
				h.lets(t, tt.lets)
			}
			for _, m := range of[monitoring.ServiceMonitor](h) {
				if got := m.Spec.Endpoints[0].Interval; got != tt.interval {
					t.Errorf("it is asked every %s, want %s", got, tt.interval)
				}
				for name, want := range tt.labels {
					if m.Labels[name] != want {
						t.Errorf("the label %s is %q, want %q", name, m.Labels[name], want)
					}
				}
				// Two releases in a namespace are two houses.
				if !slices.Contains(slices.Collect(maps.Keys(m.Spec.Selector.MatchLabels)), "app.kubernetes.io/instance") {
					t.Errorf("it selects services of other releases: %v", m.Spec.Selector.MatchLabels)
				}
			}
		})
	}
}

// The program, told what the manifests and the chart tell it, is read by Prometheus where
// its ServiceMonitor says, at an address that is not localhost.
func TestScrape(t *testing.T) {
	component := filepath.Join(directories(t), "deploy/kubernetes/sqlite")
	write(t, component+"/kustomization.yaml", read(t, component+"/kustomization.yaml")+"components: [../monitoring]\n")
	chart, err := helmed(t, least+"metrics: {enabled: true, serviceMonitor: {enabled: true}}\n")
	if err != nil {
		t.Fatal(err)
	}
	for name, all := range map[string][]object{"component": kustomized(t, component), "chart": objects(t, chart)} {
		t.Run(name, func(t *testing.T) {
			h := holds(t, all)
			port, watched := freePort(t), freePort(t)
			var env []string
			for name, value := range h.env() {
				if !strings.HasPrefix(value, "secret ") {
					env = append(env, name+"="+value)
				}
			}
			stop := started(t, volume(t, 1000), port, append(env, "PORT="+port, "HOST=127.0.0.1", "OTEL_EXPORTER_PROMETHEUS_PORT="+watched))
			defer stop()
			// All of 127.0.0.0/8 is this machine, and localhost is 127.0.0.1 alone.
			res, err := http.Get("http://127.0.0.2:" + watched + of[monitoring.ServiceMonitor](h)[0].Spec.Endpoints[0].Path)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
				t.Errorf("%v: %s, %s", err, res.Status, res.Header)
			}
			for _, want := range []string{"\npocket_id_database_up 1\n", "\npocket_id_build_info{version=\"1.2.3\",database=\"sqlite\"} 1\n"} {
				if !strings.Contains("\n"+string(text), want) {
					t.Errorf("there is no %q in:\n%s", want, text)
				}
			}
		})
	}
}
