package test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// An object is one that Kubernetes would be given, decoded strictly.
type object struct {
	Version, Kind, Name string
	Value               any
}

// The kinds of Sealos, which has no library for them.
type (
	sealosTemplate struct {
		meta.TypeMeta   `json:",inline"`
		meta.ObjectMeta `json:"metadata"`
		Spec            struct {
			Title        string `json:"title"`
			URL          string `json:"url"`
			GitRepo      string `json:"gitRepo"`
			Author       string `json:"author"`
			Description  string `json:"description"`
			Readme       string `json:"readme"`
			Icon         string `json:"icon"`
			TemplateType string `json:"templateType"`
			Locale       string `json:"locale"`
			I18n         map[string]struct {
				Title       string `json:"title"`
				Description string `json:"description"`
				Readme      string `json:"readme"`
			} `json:"i18n"`
			Categories []string `json:"categories"`
			Defaults   map[string]struct {
				Type  string `json:"type"`
				Value string `json:"value"`
			} `json:"defaults"`
		} `json:"spec"`
	}
	sealosApp struct {
		meta.TypeMeta   `json:",inline"`
		meta.ObjectMeta `json:"metadata"`
		Spec            struct {
			Data struct {
				URL string `json:"url"`
			} `json:"data"`
			DisplayType string `json:"displayType"`
			Icon        string `json:"icon"`
			Name        string `json:"name"`
			Type        string `json:"type"`
		} `json:"spec"`
	}
)

// kinds are all that may be deployed.
var kinds = map[string]func() any{
	"apps/v1 StatefulSet":                     func() any { return new(apps.StatefulSet) },
	"apps/v1 Deployment":                      func() any { return new(apps.Deployment) },
	"v1 Service":                              func() any { return new(core.Service) },
	"v1 ServiceAccount":                       func() any { return new(core.ServiceAccount) },
	"v1 ConfigMap":                            func() any { return new(core.ConfigMap) },
	"networking.k8s.io/v1 Ingress":            func() any { return new(networking.Ingress) },
	"networking.k8s.io/v1 NetworkPolicy":      func() any { return new(networking.NetworkPolicy) },
	"policy/v1 PodDisruptionBudget":           func() any { return new(policy.PodDisruptionBudget) },
	"autoscaling/v2 HorizontalPodAutoscaler":  func() any { return new(autoscaling.HorizontalPodAutoscaler) },
	"monitoring.coreos.com/v1 ServiceMonitor": func() any { return new(monitoring.ServiceMonitor) },
	"app.sealos.io/v1 Template":               func() any { return new(sealosTemplate) },
	"app.sealos.io/v1 App":                    func() any { return new(sealosApp) },
}

// objects are the documents of a text.
func objects(t *testing.T, text []byte) (list []object) {
	t.Helper()
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		var about struct {
			meta.TypeMeta `json:",inline"`
			Metadata      struct {
				Name string `json:"name"`
			} `json:"metadata"`
		}
		if err := yaml.Unmarshal(document, &about); err != nil {
			t.Fatalf("%v in:\n%s", err, document)
		}
		if about.Kind == "" {
			continue // comments alone
		}
		made := kinds[about.APIVersion+" "+about.Kind]
		if made == nil {
			t.Fatalf("%s %s is not known", about.APIVersion, about.Kind)
		}
		value := made()
		decode(t, document, value)
		list = append(list, object{about.APIVersion, about.Kind, about.Metadata.Name, value})
	}
}

// decode reads a document: a key that stands twice, one that is not known, or one in other
// letters is an error.
func decode(t *testing.T, document []byte, into any) {
	t.Helper()
	if err := strictly(document, into); err != nil {
		t.Fatalf("%v in:\n%s", err, document)
	}
}

func strictly(document []byte, into any) error {
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	strict, err := kjson.UnmarshalStrict(text, into)
	return errors.Join(append(strict, err)...)
}

// The decoder refuses what it is there to refuse.
func TestDecodeStrictly(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"refuses a field that does not exist", "apiVersion: v1\nkind: Service\nspec: {ports: [{prot: 1}]}\n"},
		{"refuses a field in other letters", "apiVersion: v1\nkind: Service\nspec: {clusterip: None}\n"},
		{"refuses a key that stands twice", "apiVersion: v1\nkind: Service\nspec: {type: ClusterIP, type: NodePort}\n"},
		{"refuses a text where a number is", "apiVersion: v1\nkind: Service\nspec: {ports: [{port: http}]}\n"},
		{"refuses a field that the operator does not have", "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nspec: {endpoints: [{ports: metrics}]}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var of meta.TypeMeta
			if err := yaml.Unmarshal([]byte(tt.text), &of); err != nil {
				t.Fatal(err)
			}
			if err := strictly([]byte(tt.text), kinds[of.APIVersion+" "+of.Kind]()); err == nil {
				t.Error("it is let pass")
			}
		})
	}
}
