package test

import (
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// A workload is the one of a house, whichever kind it is.
type workload struct {
	kind, name string
	labels     map[string]string
	replicas   *int32
	selector   *meta.LabelSelector
	template   core.PodTemplateSpec
	claims     []core.PersistentVolumeClaim
}

// A house is what is deployed together.
type house struct {
	workload
	app  core.Container
	all  []object
	maps map[string]map[string]string // ConfigMaps
}

// ports are those of the container by name and number.
func (h *house) port(t *testing.T, p intstr.IntOrString) int32 {
	t.Helper()
	for _, c := range h.app.Ports {
		if p.Type == intstr.String && c.Name == p.StrVal || p.Type == intstr.Int && c.ContainerPort == p.IntVal {
			return c.ContainerPort
		}
	}
	t.Errorf("the container has no port %s", p.String())
	return 0
}

// env is what the container is told, by name; what is in a Secret is "secret NAME KEY".
func (h *house) env() map[string]string {
	env := map[string]string{}
	for _, from := range h.app.EnvFrom {
		for name, value := range h.maps[from.ConfigMapRef.Name] {
			env[name] = value
		}
	}
	for _, e := range h.app.Env {
		env[e.Name] = e.Value
		if e.ValueFrom != nil {
			env[e.Name] = "secret " + e.ValueFrom.SecretKeyRef.Name + " " + e.ValueFrom.SecretKeyRef.Key
		}
	}
	return env
}

// holds checks what has to be so in every house, and returns it.
func holds(t *testing.T, all []object) *house {
	t.Helper()
	h := &house{all: all, maps: map[string]map[string]string{}}
	accounts, names := map[string]bool{}, map[string]bool{}
	for _, o := range all {
		if id := o.Kind + " " + o.Name; names[id] {
			t.Errorf("%s is there twice", id)
		} else {
			names[id] = true
		}
		if problems := validation.IsDNS1123Subdomain(o.Name); len(problems) > 0 {
			t.Errorf("%s %s: %v", o.Kind, o.Name, problems)
		}
		switch v := o.Value.(type) {
		case *apps.StatefulSet:
			h.workload = workload{o.Kind, o.Name, v.Labels, v.Spec.Replicas, v.Spec.Selector, v.Spec.Template, v.Spec.VolumeClaimTemplates}
			if v.Spec.ServiceName == "" || *v.Spec.Replicas != 1 {
				t.Errorf("the StatefulSet has %d replicas and the service %q", *v.Spec.Replicas, v.Spec.ServiceName)
			}
		case *apps.Deployment:
			h.workload = workload{o.Kind, o.Name, v.Labels, v.Spec.Replicas, v.Spec.Selector, v.Spec.Template, nil}
			if r := v.Spec.Strategy.RollingUpdate; r == nil || r.MaxUnavailable.IntValue() != 0 || r.MaxSurge.IntValue() < 1 {
				t.Errorf("an update takes processes away: %+v", v.Spec.Strategy)
			}
		case *core.ConfigMap:
			h.maps[o.Name] = v.Data
		case *core.ServiceAccount:
			accounts[o.Name] = true
			if v.AutomountServiceAccountToken == nil || *v.AutomountServiceAccountToken {
				t.Error("the account's token is mounted")
			}
		}
	}
	if h.kind == "" || len(h.template.Spec.Containers) != 1 {
		t.Fatalf("no workload with one container in %d objects", len(all))
	}
	pod := h.template.Spec
	h.app = pod.Containers[0]
	if a := pod.ServiceAccountName; a != "" && !accounts[a] {
		t.Errorf("the account %q is not there", a)
	}
	h.pod(t)
	h.probes(t)
	h.variables(t)
	h.watched(t)
	for _, o := range all {
		h.fits(t, o)
	}
	return h
}

// pod checks the container: its image, rights, volumes and end.
func (h *house) pod(t *testing.T) {
	t.Helper()
	pod, c := h.template.Spec, h.app
	if !regexp.MustCompile(`^[^:@ ]+(/[^:@ ]+)+(:[0-9][0-9A-Za-z._-]*|@sha256:[0-9a-f]{64})$`).MatchString(c.Image) {
		t.Errorf("the image %s is not pinned", c.Image)
	}
	if c.ImagePullPolicy != core.PullIfNotPresent {
		t.Errorf("the image is pulled %s", c.ImagePullPolicy)
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("a token of the cluster is mounted")
	}
	yes, no, id, change, grace := true, false, int64(1000), core.FSGroupChangeOnRootMismatch, int64(25)
	want := &core.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &id, RunAsGroup: &id, FSGroup: &id, FSGroupChangePolicy: &change,
		SeccompProfile: &core.SeccompProfile{Type: core.SeccompProfileTypeRuntimeDefault}}
	if !reflect.DeepEqual(pod.SecurityContext, want) {
		t.Errorf("the rights of the pod are %+v", pod.SecurityContext)
	}
	if w := (&core.SecurityContext{AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Capabilities: &core.Capabilities{Drop: []core.Capability{"ALL"}}}); !reflect.DeepEqual(c.SecurityContext, w) {
		t.Errorf("the rights of the container are %+v", c.SecurityContext)
	}
	// internal/app: three seconds in which it turns away, fifteen for requests, and some to end.
	if pod.TerminationGracePeriodSeconds == nil || *pod.TerminationGracePeriodSeconds < grace {
		t.Error("it is killed before it has stopped")
	}
	if len(c.Resources.Requests) != 2 || c.Resources.Limits.Memory().Value() < 128<<20 {
		t.Errorf("resources are %+v", c.Resources)
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
	}
	for _, v := range h.claims {
		if volumes[v.Name] = true; v.Spec.Resources.Requests.Storage().Value() < 1<<30 {
			t.Errorf("the volume %s has %s", v.Name, v.Spec.Resources.Requests.Storage())
		}
	}
	at := ""
	for _, m := range c.VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("the volume %s is not there", m.Name)
		}
		at += m.MountPath
	}
	if at != "/app/data" || len(volumes) != 1 {
		t.Errorf("volumes %v are mounted at %q", volumes, at)
	}
	if !labelled(h.template.Labels, h.selector.MatchLabels) {
		t.Errorf("%v does not select %v", h.selector.MatchLabels, h.template.Labels)
	}
}

// probes checks that they ask for what there is.
func (h *house) probes(t *testing.T) {
	t.Helper()
	for _, p := range []struct {
		name, path string
		probe      *core.Probe
	}{{"start", "/healthz", h.app.StartupProbe}, {"ready", "/readyz", h.app.ReadinessProbe}, {"live", "/healthz", h.app.LivenessProbe}} {
		if p.probe == nil || p.probe.HTTPGet == nil {
			t.Errorf("nobody asks whether it is %s", p.name)
			continue
		}
		get := p.probe.HTTPGet
		if get.Path != p.path || !routes(t)[get.Path] || h.port(t, get.Port) != 1411 {
			t.Errorf("%s: %s at port %s", p.name, get.Path, get.Port.String())
		}
	}
	if s := h.app.StartupProbe; s != nil && s.PeriodSeconds*s.FailureThreshold < 300 {
		t.Error("a migration has less than five minutes")
	}
}

// routes are the paths that the program answers to GET, from its own list.
func routes(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for line := range strings.Lines(read(t, "../../internal/app/testdata/routes.txt")) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == "GET" {
			all[f[0]] = true
		}
	}
	return all
}

// variables checks that the program knows every variable and takes its value.
func (h *house) variables(t *testing.T) {
	t.Helper()
	known, env := variables(t), h.env()
	for name := range env {
		if !known[name] {
			t.Errorf("the program knows no %s", name)
		}
	}
	if u, err := url.Parse(env["APP_URL"]); err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" {
		t.Errorf("APP_URL is %q", env["APP_URL"])
	}
	if env["TRUST_PROXY"] == "" || env["TRUST_PROXY"] == "false" {
		t.Error("TRUST_PROXY names no proxy, but there is an ingress in front")
	}
	if key := env["ENCRYPTION_KEY"]; h.kind == "Deployment" && !strings.HasPrefix(key, "secret ") {
		t.Errorf("the key is %q", key)
	}
	if (h.kind == "Deployment") != strings.HasPrefix(env["DB_CONNECTION_STRING"], "secret ") {
		t.Errorf("a %s has the database %q", h.kind, env["DB_CONNECTION_STRING"])
	}
	var given []string
	for name, value := range env {
		if !strings.HasPrefix(value, "secret ") {
			given = append(given, name+"="+value)
		}
	}
	takes(t, given)
}

// labelled says whether labels have all that is wanted.
func labelled(labels, want map[string]string) bool {
	for name, value := range want {
		if labels[name] != value {
			return false
		}
	}
	return len(want) > 0
}

// fits checks one of the objects around the workload.
func (h *house) fits(t *testing.T, o object) {
	t.Helper()
	switch v := o.Value.(type) {
	case *core.Service:
		if !labelled(h.template.Labels, v.Spec.Selector) || len(v.Spec.Ports) != 1 {
			t.Errorf("the service does not lead to the pods: %+v", v.Spec)
			return
		}
		want := int32(1411)
		if v.Spec.Ports[0].Name != "http" {
			want = h.measures(t)
		}
		if got := h.port(t, v.Spec.Ports[0].TargetPort); got != want {
			t.Errorf("the service %s leads to port %d, want %d", o.Name, got, want)
		}
	case *networking.Ingress:
		rule := v.Spec.Rules[0]
		path := rule.HTTP.Paths[0]
		if u, _ := url.Parse(h.env()["APP_URL"]); u.Hostname() != rule.Host {
			t.Errorf("the ingress is for %s, APP_URL for %s", rule.Host, u.Hostname())
		}
		if path.Path != "/" || *path.PathType != networking.PathTypePrefix {
			t.Errorf("the ingress leads %s there", path.Path)
		}
		for _, tls := range v.Spec.TLS {
			if !slices.Contains(tls.Hosts, rule.Host) || tls.SecretName == "" {
				t.Errorf("TLS is for %v with %q", tls.Hosts, tls.SecretName)
			}
		}
		for _, s := range h.all {
			if service, ok := s.Value.(*core.Service); ok && s.Name == path.Backend.Service.Name &&
				(service.Spec.Ports[0].Name == path.Backend.Service.Port.Name || service.Spec.Ports[0].Port == path.Backend.Service.Port.Number) {
				return
			}
		}
		t.Errorf("the ingress leads to %+v, which is not there", path.Backend.Service)
	case *networking.NetworkPolicy:
		if !labelled(h.template.Labels, v.Spec.PodSelector.MatchLabels) || len(v.Spec.PolicyTypes) != 2 {
			t.Errorf("the policy is for others: %+v", v.Spec.PodSelector)
		}
		open := map[string]bool{}
		for _, rule := range v.Spec.Egress {
			for _, p := range rule.Ports {
				open[fmt.Sprint(*p.Protocol, p.Port.IntVal)] = true
			}
		}
		want := []string{"UDP53", "TCP53", "TCP443"}
		if h.kind == "Deployment" {
			want = append(want, "TCP5432")
		}
		for _, w := range want {
			if !open[w] {
				t.Errorf("the policy keeps it from %s", w)
			}
		}
		for port, from := range h.reached(t, v) {
			if port != 1411 && port != h.measures(t) {
				t.Errorf("the policy lets %v in at port %d", from, port)
			}
		}
	case *monitoring.ServiceMonitor:
		h.monitored(t, v)
	case *policy.PodDisruptionBudget:
		if !labelled(h.template.Labels, v.Spec.Selector.MatchLabels) || v.Spec.MaxUnavailable == nil || v.Spec.MaxUnavailable.IntValue() != 1 {
			t.Errorf("the budget is %+v", v.Spec)
		}
	case *autoscaling.HorizontalPodAutoscaler:
		to := v.Spec.ScaleTargetRef
		if to.Kind != h.kind || to.Name != h.name || to.APIVersion != "apps/v1" || *v.Spec.MinReplicas < 2 || v.Spec.MaxReplicas < *v.Spec.MinReplicas || h.app.Resources.Requests.Cpu().IsZero() {
			t.Errorf("it scales %+v", v.Spec)
		}
	}
}
