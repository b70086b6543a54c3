package kubernetes

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

const (
	// maxImage bounds the unpacked size of an image.
	maxImage = 25 << 20
	// realBase is more than the unpacked size of the base that .ko.yaml names, in whose place the
	// test has a tiny one.
	realBase = 4 << 20
	baseUser = "65532"
	baseFile = "etc/ssl/certs/ca-certificates.crt"
)

// architectures are those that images are built for.
var architectures = []string{"amd64", "arm64"}

// serveRegistry runs a registry with an image that stands for the base of .ko.yaml, which no test
// fetches: it has that one's user and architectures and, of its files, the certificates of
// authorities alone.
func serveRegistry(t *testing.T) (host, base string) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host = strings.TrimPrefix(server.URL, "http://")
	var index v1.ImageIndex = empty.Index
	for _, architecture := range architectures {
		image, err := crane.Image(map[string][]byte{baseFile: []byte("authorities")})
		require.NoError(t, err)
		config, err := image.ConfigFile()
		require.NoError(t, err)
		config.OS, config.Architecture, config.Config.User = "linux", architecture, baseUser
		image, err = mutate.ConfigFile(image, config)
		require.NoError(t, err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
		})
	}
	digest, err := index.Digest()
	require.NoError(t, err)
	ref, err := name.NewDigest(host + "/base@" + digest.String())
	require.NoError(t, err)
	require.NoError(t, remote.WriteIndex(ref, index))
	return host, ref.String()
}

// images runs images.sh and returns what it prints.
func images(t *testing.T, dir string, env []string, names ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "./images.sh", names...)
	cmd.Env = append(append(os.Environ(), "GOWORK=", "IMAGES_DIR="+dir), env...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	output, err := cmd.Output()
	require.NoError(t, err, problems.String())
	return string(output)
}

// imageIn reads the one image of a layout.
func imageIn(t *testing.T, folder string) v1.Image {
	t.Helper()
	path, err := layout.FromPath(folder)
	require.NoError(t, err)
	index, err := path.ImageIndex()
	require.NoError(t, err)
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	require.Len(t, manifest.Manifests, 1, "%s has other than one image", folder)
	image, err := index.Image(manifest.Manifests[0].Digest)
	require.NoError(t, err)
	return image
}

// filesOf returns the files of an image's root, with what each holds.
func filesOf(t *testing.T, image v1.Image) map[string][]byte {
	t.Helper()
	root := mutate.Extract(image)
	defer root.Close()
	files := map[string][]byte{}
	for archive := tar.NewReader(root); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		if header.Typeflag == tar.TypeDir {
			continue
		}
		files[strings.TrimPrefix(header.Name, "/")], err = io.ReadAll(archive)
		require.NoError(t, err)
	}
}

// TestAnImageIsOneStaticBinaryOnTheBase builds every image as `make images` does and opens what
// came out.
func TestAnImageIsOneStaticBinaryOnTheBase(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: six images are built")
	}
	dir := t.TempDir()
	_, base := serveRegistry(t)
	images(t, dir, []string{"KO_DOCKER_REPO=", "KO_DEFAULTPLATFORMS=linux/" + runtime.GOARCH, "KO_DEFAULTBASEIMAGE=" + base})
	for _, app := range append([]string{"inbox"}, apps...) {
		t.Run(app, func(t *testing.T) {
			image := imageIn(t, filepath.Join(dir, app))
			config, err := image.ConfigFile()
			require.NoError(t, err)
			assert.Equal(t, baseUser, config.Config.User)
			assert.Equal(t, []string{"/ko-app/" + app}, config.Config.Entrypoint)
			assert.Empty(t, config.Config.Cmd)
			assert.Empty(t, config.Config.ExposedPorts)

			files := filesOf(t, image)
			binary := files["ko-app/"+app]
			require.NotEmpty(t, binary, "the image has no binary")
			size := realBase
			for path, content := range files {
				assert.Contains(t, []string{baseFile, "ko-app/" + app}, path, "neither the base's nor the binary")
				size += len(content)
			}
			assert.LessOrEqual(t, size, maxImage)
			t.Logf("%d KiB", len(binary)>>10)
			checkBinary(t, binary)
			checkParts(t, dir, app)
		})
	}
}

// TestAnImageIsPushedForBothArchitecturesWithItsListOfParts pushes the smallest one to a registry,
// and asks for it there by the name that is printed, which is the one that a workflow signs.
func TestAnImageIsPushedForBothArchitecturesWithItsListOfParts(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: an image is built")
	}
	host, base := serveRegistry(t)
	printed := images(t, t.TempDir(), []string{"KO_DOCKER_REPO=" + host + "/sidecart", "IMAGE_TAG=1.2.3", "KO_DEFAULTBASEIMAGE=" + base}, "inbox")
	ref, err := name.NewDigest(strings.TrimSpace(printed), name.StrictValidation)
	require.NoError(t, err, "printed: %q", printed)
	assert.Equal(t, host+"/sidecart/inbox", ref.Context().Name())
	index, err := remote.Index(ref)
	require.NoError(t, err)
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	var built []string
	for _, image := range manifest.Manifests {
		built = append(built, image.Platform.Architecture)
	}
	assert.ElementsMatch(t, architectures, built)
	tagged, err := remote.Head(ref.Context().Tag("1.2.3"))
	require.NoError(t, err)
	assert.Equal(t, ref.DigestStr(), tagged.Digest.String())
	_, err = remote.Image(ref.Context().Tag(strings.Replace(ref.DigestStr(), ":", "-", 1) + ".sbom"))
	assert.NoError(t, err, "the list of parts")
}

// checkBinary holds that the binary needs nothing beside it, names no folder of the machine that
// built it, and starts.
func checkBinary(t *testing.T, binary []byte) {
	t.Helper()
	program, err := elf.NewFile(bytes.NewReader(binary))
	require.NoError(t, err)
	for _, segment := range program.Progs {
		assert.NotEqual(t, elf.PT_INTERP, segment.Type, "the binary is not static")
	}
	info, err := buildinfo.Read(bytes.NewReader(binary))
	require.NoError(t, err)
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	assert.Equal(t, "true", settings["-trimpath"])
	assert.Equal(t, "0", settings["CGO_ENABLED"])
	assert.Equal(t, runtime.GOARCH, settings["GOARCH"])

	path := filepath.Join(t.TempDir(), "app")
	require.NoError(t, os.WriteFile(path, binary, 0o700))
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Env = []string{"INBOX_HTTP_ADDR=nowhere"}
	output, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	require.ErrorAs(t, err, &ended, "it starts without its configuration")
	assert.Regexp(t, "APP_PORT|nowhere", string(output), "it does not say what is missing")
}

// checkParts holds that the image's list of parts names modules that the binary is made of.
func checkParts(t *testing.T, dir, app string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, app+"-linux-"+runtime.GOARCH+".spdx.json"))
	require.NoError(t, err)
	module := "github.com/gorilla/mux"
	if app == "inbox" {
		module = "github.com/emersion/go-smtp"
	}
	assert.True(t, bytes.Contains(text, []byte(module)), "the list of parts of %s lacks %s", app, module)
}

// TestImagesAreBuiltOnAFixedBaseForBothArchitectures reads what the test above has to replace.
func TestImagesAreBuiltOnAFixedBaseForBothArchitectures(t *testing.T) {
	text, err := os.ReadFile("../../.ko.yaml")
	require.NoError(t, err)
	var config struct {
		DefaultBaseImage string   `json:"defaultBaseImage"`
		DefaultPlatforms []string `json:"defaultPlatforms"`
		DefaultEnv       []string `json:"defaultEnv"`
		DefaultFlags     []string `json:"defaultFlags"`
		DefaultLdflags   []string `json:"defaultLdflags"`
	}
	require.NoError(t, yaml.UnmarshalStrict(text, &config))
	assert.Regexp(t, `/distroless/static-debian12:nonroot@sha256:[0-9a-f]{64}$`, config.DefaultBaseImage)
	var platforms []string
	for _, architecture := range architectures {
		platforms = append(platforms, "linux/"+architecture)
	}
	assert.ElementsMatch(t, platforms, config.DefaultPlatforms)
}
