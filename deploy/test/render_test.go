package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// kustomized is what kubectl would apply of a directory.
func kustomized(t *testing.T, dir string) []object {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return objects(t, text)
}

// expression is one of Sealos.
var expression = regexp.MustCompile(`\$\{\{\s*([^}]*?)\s*\}\}`)

// filled is a template of Sealos as a cluster fills it in. First come the defaults of the
// template itself, then everything that names them.
func filled(t *testing.T, path string) []object {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := regexp.MustCompile(`^random\((\d+)\)$`)
	fill := func(text []byte, known map[string]string) []byte {
		return expression.ReplaceAllFunc(text, func(found []byte) []byte {
			name := string(expression.FindSubmatch(found)[1])
			if m := random.FindStringSubmatch(name); m != nil {
				var n int
				fmt.Sscan(m[1], &n)
				return []byte(strings.Repeat("k3x9", n)[:n])
			}
			value, ok := known[name]
			if !ok {
				t.Fatalf("%s: nobody fills in %s", path, name)
			}
			return []byte(value)
		})
	}
	first, rest, ok := bytes.Cut(text, []byte("\n---\n"))
	if !ok {
		t.Fatal("there is one document only")
	}
	first = fill(first, nil)
	var head sealosTemplate
	decode(t, first, &head)
	known := map[string]string{"SEALOS_CLOUD_DOMAIN": "cloud.sealos.example", "SEALOS_CERT_SECRET_NAME": "wildcard-cert", "SEALOS_NAMESPACE": "ns-test"}
	for name, value := range head.Spec.Defaults {
		known["defaults."+name] = value.Value
	}
	return append(objects(t, first), objects(t, fill(rest, known))...)
}

// chart is deploy/helm.
const chart = "../helm"

var errValues = errors.New("the schema refuses the values")

// helmed renders the chart as helm does, with values over its own: the schema first, then
// every template. The engine is text/template with sprig and four functions of Helm's own.
func helmed(t *testing.T, values string) ([]byte, error) {
	t.Helper()
	all := map[string]any{}
	for _, text := range []string{read(t, chart+"/values.yaml"), values} {
		var layer map[string]any
		if err := yaml.UnmarshalStrict([]byte(text), &layer); err != nil {
			t.Fatal(err)
		}
		merge(all, layer)
	}
	if err := allowed(t, all); err != nil {
		return nil, err
	}
	var about map[string]any
	if err := yaml.UnmarshalStrict([]byte(read(t, chart+"/Chart.yaml")), &about); err != nil {
		t.Fatal(err)
	}
	top := map[string]any{"Values": all, "Release": map[string]any{"Name": "house", "Namespace": "id", "Service": "Helm"},
		"Chart": map[string]any{"Name": about["name"], "Version": about["version"], "AppVersion": about["appVersion"]}}
	root := template.New("chart").Option("missingkey=zero").Funcs(sprig.TxtFuncMap())
	root.Funcs(template.FuncMap{
		"toYaml": func(v any) string { text, _ := yaml.Marshal(v); return strings.TrimSuffix(string(text), "\n") },
		"include": func(name string, data any) (string, error) {
			var b strings.Builder
			err := root.ExecuteTemplate(&b, name, data)
			return b.String(), err
		},
	})
	files, err := filepath.Glob(chart + "/templates/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if _, err := root.New(filepath.Base(file)).Parse(read(t, file)); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "_") {
			continue
		}
		var one strings.Builder
		if err := root.ExecuteTemplate(&one, name, top); err != nil {
			return nil, err
		}
		if strings.Contains(one.String(), "<no value>") {
			t.Errorf("%s names a value that is not there: %s", name, one.String())
		}
		if name != "NOTES.txt" {
			fmt.Fprintf(&b, "\n---\n%s", one.String())
		}
	}
	return b.Bytes(), nil
}

// merge puts values over others, as helm does.
func merge(into, over map[string]any) {
	for name, value := range over {
		below, isMap := into[name].(map[string]any)
		above, areMaps := value.(map[string]any)
		if isMap && areMaps {
			merge(below, above)
			continue
		}
		into[name] = value
	}
}

// allowed asks the schema about values.
func allowed(t *testing.T, values map[string]any) error {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(read(t, chart+"/values.schema.json")))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("file:///values.schema.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("file:///values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(plain); err != nil {
		return fmt.Errorf("%w: %w", errValues, err)
	}
	return nil
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
