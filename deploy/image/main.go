// Command image packs the program into a container image without an engine: an OCI
// layout for several architectures, for each of them an archive that "docker load" reads,
// and beside them what the program is made of (CycloneDX). The same program gives the same bytes.
//
//	image -version V -created UNIX [-revision R] -out DIR ARCH=BINARY...
//	image -version V -created UNIX -sbom FILE BINARY
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	var r release
	version := flag.String("version", "", "the version of the program")
	created := flag.Int64("created", 0, "when it was made, in seconds since 1970; the time of the commit, so that it is the same each time")
	revision := flag.String("revision", "", "the commit that it was made of")
	out := flag.String("out", "", "the directory to write into; what was there is replaced")
	license := flag.String("license", "LICENSE", "the file of the licence, which goes into the image")
	bill := flag.String("sbom", "", "write what the one binary is made of into this file, and no image")
	flag.Parse()
	r.version, r.revision, r.created = *version, *revision, time.Unix(*created, 0).UTC()
	var err error
	switch {
	case r.version == "" || *created <= 0 || flag.NArg() == 0:
		err = errors.New("the version, the time and a binary are needed")
	case *bill != "" && flag.NArg() == 1:
		err = writeBill(*bill, flag.Arg(0), r)
	case *out != "":
		if r.license, err = os.ReadFile(*license); err == nil {
			err = writeImages(*out, r, flag.Args())
		}
	default:
		err = errors.New("-out is needed, or -sbom with one binary")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// maxImage is how many bytes a layer may have compressed: what the image promises.
const maxImage = 12_000_000

// A release is what is said about a program that is packed.
type release struct {
	version, revision string
	created           time.Time
	license           []byte
}

// writeImages packs binaries, each given as ARCH=FILE, into dir.
func writeImages(dir string, r release, binaries []string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	whole := newLayout()
	var all []descriptor
	for _, given := range binaries {
		arch, path, ok := strings.Cut(given, "=")
		if !ok {
			return fmt.Errorf("%q is not ARCH=FILE", given)
		}
		program, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		one := newLayout()
		d, err := one.image(arch, program, r)
		if err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
		if one.compressed > maxImage {
			return fmt.Errorf("%s: %d bytes compressed are more than the promised %d", arch, one.compressed, maxImage)
		}
		if err := one.writeArchive(filepath.Join(dir, "pocket-id-linux-"+arch+".tar"), d, r); err != nil {
			return err
		}
		if err := writeBill(filepath.Join(dir, "pocket-id-linux-"+arch+".cdx.json"), path, r); err != nil {
			return err
		}
		whole.take(one)
		all = append(all, d)
		fmt.Printf("%s  %8d bytes compressed  %s\n", d.Digest, one.compressed, arch)
	}
	index := whole.index(all, r)
	fmt.Printf("%s  all\n", index.Digest)
	return whole.writeDir(filepath.Join(dir, "oci"), index)
}
