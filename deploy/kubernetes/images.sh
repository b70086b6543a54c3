#!/bin/sh
# Builds container images without a Docker engine: of all five services and the inbox, or of those that are named.
#   images.sh [NAME…]
# KO_DOCKER_REPO  the registry to push to: each image becomes KO_DOCKER_REPO/NAME, with its list of parts (SBOM). ko.local is
#                 Docker's own store and kind.local kind's. Without it each image is an OCI layout in IMAGES_DIR/NAME.
# IMAGE_TAG       the tag to push; default demo, which the demo overlay asks for
# IMAGES_DIR      the folder for layouts and lists of parts; default .sidecart/images
# KO_DEFAULTPLATFORMS, KO_DEFAULTBASEIMAGE  in place of what .ko.yaml says
set -eu
cd "$(dirname "$0")/../.."
ko=github.com/google/ko@v0.19.1
out=${IMAGES_DIR:-$PWD/.sidecart/images}
made=.sidecart/images-$$ # ko refuses a layout's folder whose path has capital letters, and this path is its own
mkdir -p "$out" "$made"
trap 'rm -rf "$made"' EXIT

build() { # build NAME PACKAGE
	if [ -n "${KO_DOCKER_REPO:-}" ]; then
		go run $ko build --base-import-paths --sbom-dir "$out" --tags "${IMAGE_TAG:-demo}" "$2"
	else
		KO_DOCKER_REPO=sidecart go run $ko build --base-import-paths --sbom-dir "$out" --push=false --oci-layout-path "$made/$1" "$2"
		rm -rf "${out:?}/$1"
		mv "$made/$1" "$out/$1"
	fi
}

[ $# -gt 0 ] || set -- gateway users orders payments notifications inbox
for name; do
	case $name in
	inbox) build inbox ./deploy/local/cmd/inbox ;;
	*) build "$name" "./services/$name/cmd/$name" ;;
	esac
done
