package main

import (
	"debug/buildinfo"
	"encoding/json"
	"os"
	"strings"
	"time"
)

// A bill is what a program is made of, as CycloneDX 1.6 has it.
type bill struct {
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Licenses   []license  `json:"licenses,omitempty"`
	PURL       string     `json:"purl,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type license struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn,omitempty"`
}

// writeBill writes what a binary is made of, as the compiler wrote it into the binary: the
// library of Go and every module, with its version and the checksum of its sources.
func writeBill(path, binary string, r release) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	main := component{Type: "application", Ref: "pocket-id", Name: "pocket-id", Version: r.version, Licenses: make([]license, 1)}
	main.Licenses[0].License.ID = "BSD-2-Clause"
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS", "GOARCH", "CGO_ENABLED", "-trimpath":
			main.Properties = append(main.Properties, property{"pocket-id:build:" + s.Key, s.Value})
		}
	}
	b := bill{Format: "CycloneDX", SpecVersion: "1.6", Version: 1, Metadata: metadata{r.created.Format(time.RFC3339), main}}
	add := func(name, version, sum string) {
		purl := "pkg:golang/" + name + "@" + version
		c := component{Type: "library", Ref: purl, Name: name, Version: version, PURL: purl}
		if sum != "" {
			c.Properties = []property{{"pocket-id:go:sum", sum}}
		}
		b.Components = append(b.Components, c)
	}
	add("std", strings.TrimPrefix(strings.Fields(info.GoVersion)[0], "go"), "")
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		add(m.Path, m.Version, m.Sum)
	}
	all := dependency{Ref: main.Ref}
	for _, c := range b.Components {
		all.On = append(all.On, c.Ref)
		b.Dependencies = append(b.Dependencies, dependency{Ref: c.Ref})
	}
	b.Dependencies = append([]dependency{all}, b.Dependencies...)
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
