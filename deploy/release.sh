#!/usr/bin/env bash
# Builds what is published into build/release; "make release" calls it.
#
#   deploy/release.sh VERSION REPOSITORY OS/ARCH...
#
# The same sources give the same bytes: the only time in them is that of the commit.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
version=$1 repository=$2
shift 2
go=${GO:-go} make=${MAKE:-make}
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
out=build/release
rm -rf "$out"
mkdir -p "$out"

arches=()
for platform in "$@"; do
	os=${platform%/*} arch=${platform#*/}
	name=$out/pocket-id-$version-$os-$arch
	GOOS=$os GOARCH=$arch $make --no-print-directory -s build VERSION="$version" OUT="$name"
	$go run ./deploy/image -version "$version" -created "$epoch" -sbom "$name.cdx.json" "$name"
	[ "$os" != linux ] || arches+=("$arch")
done
if [ ${#arches[@]} -gt 0 ]; then
	$make --no-print-directory -s image VERSION="$version" IMAGE="$out/image" ARCHES="${arches[*]}"
	for arch in "${arches[@]}"; do
		mv "$out/image/pocket-id-linux-$arch.tar" "$out/pocket-id-$version-image-linux-$arch.tar"
	done
	tar --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$epoch" -C "$out/image/oci" -cf "$out/pocket-id-$version-image-oci.tar" .
	rm -r "$out/image"
fi

# The templates, with the image in them.
mkdir "$out/deploy"
for part in deploy/*/; do
	case $part in deploy/image/ | deploy/test/) ;; *) cp -R "${part%/}" "$out/deploy/" ;; esac
done
grep -rlF registry.example.com/pocket-id "$out/deploy" |
	xargs sed -i "s|registry\.example\.com/pocket-id:1\.0\.0|$repository:$version|g; s|registry\.example\.com/pocket-id|$repository|g"
sed -i "s|newTag: 1\.0\.0|newTag: $version|" "$out"/deploy/kubernetes/*/kustomization.yaml
sed -i "s|^appVersion: .*|appVersion: \"$version\"|" "$out/deploy/helm/Chart.yaml"
tar --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$epoch" -C "$out" -cf - deploy | gzip -9n >"$out/pocket-id-$version-deploy.tar.gz"
rm -r "$out/deploy"

(cd "$out" && sha256sum -- * >SHA256SUMS)
cat "$out/SHA256SUMS"
