package resources

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Needs says which of the local helpers some resources refer to.
type Needs struct{ Redis, Inbox bool }

// Set is what the YAML files directly in one folder hold, checked for what
// daprd would pass over with a warning: bad YAML, no kind, no name, no type.
type Set struct {
	files []file
	env   map[string]*yaml.Node // values of variables that were bound
}

type file struct {
	path string
	docs []*yaml.Node
}

// Load reads the resource files in dir. The error names the file.
func Load(dir string) (*Set, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var set Set
	for _, entry := range entries {
		ext := filepath.Ext(entry.Name())
		if entry.IsDir() || ext != ".yaml" && ext != ".yml" {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		docs, err := parse(path)
		if err != nil {
			return nil, fmt.Errorf("the resource file %s is broken: %w", path, err)
		}
		if len(docs) > 0 {
			set.files = append(set.files, file{path, docs})
		}
	}
	return &set, nil
}

// kustomize begins the API of what stands beside the resources for a cluster, and is none of them.
const kustomize = "kustomize.config.k8s.io/"

func parse(path string) ([]*yaml.Node, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	var docs []*yaml.Node
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, errors.New(strings.Join(strings.Fields(err.Error()), " "))
		}
		if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
			continue
		}
		if strings.HasPrefix(text(doc.Content[0], "apiVersion"), kustomize) {
			continue
		}
		if err := check(doc.Content[0]); err != nil {
			return nil, err
		}
		docs = append(docs, &doc)
	}
}

// check refuses what daprd would ignore.
func check(root *yaml.Node) error {
	at := fmt.Sprintf("line %d", root.Line)
	kind := text(root, "kind")
	if kind == "" {
		return fmt.Errorf("%s: the resource has no kind", at)
	}
	if text(root, "apiVersion") == "" {
		return fmt.Errorf("%s: the %s has no apiVersion", at, kind)
	}
	name := text(root, "metadata", "name")
	if name == "" {
		return fmt.Errorf("%s: the %s has no metadata.name", at, kind)
	}
	if kind == "Component" && text(root, "spec", "type") == "" {
		return fmt.Errorf("%s: the Component %s has no spec.type", at, name)
	}
	return nil
}

// Needs looks for the default addresses in the set.
func (s *Set) Needs() Needs {
	var needs Needs
	moved := Addresses{Redis: "redis:1", SMTP: "smtp:1", InboxHTTP: "inbox:1"}
	s.values(func(value *yaml.Node) {
		found := moved.Rewrite(value.Value)
		needs.Redis = needs.Redis || found != value.Value && strings.Contains(found, "redis:1")
		needs.Inbox = needs.Inbox || found != value.Value &&
			(strings.Contains(found, "smtp:1") || strings.Contains(found, "inbox:1"))
	})
	s.mailers(func(_, _ *yaml.Node) { needs.Inbox = true })
	return needs
}

// At returns a copy of the set with every address where it really is.
func (s *Set) At(addresses Addresses) *Set {
	moved := s.copy()
	seen := map[*yaml.Node]bool{} // one variable may have several users
	moved.values(func(value *yaml.Node) {
		if !seen[value] {
			seen[value] = true
			value.Value = addresses.Rewrite(value.Value)
		}
	})
	if host, port, err := net.SplitHostPort(addresses.SMTP); err == nil {
		moved.mailers(func(h, p *yaml.Node) { h.Value, p.Value = host, port })
	}
	return moved
}

func (s *Set) copy() *Set {
	c := &Set{env: map[string]*yaml.Node{}}
	for name, node := range s.env {
		c.env[name] = copyNode(node)
	}
	for _, f := range s.files {
		docs := make([]*yaml.Node, len(f.docs))
		for i, doc := range f.docs {
			docs[i] = copyNode(doc)
		}
		c.files = append(c.files, file{f.path, docs})
	}
	return c
}

func copyNode(node *yaml.Node) *yaml.Node {
	c := *node
	c.Content = make([]*yaml.Node, len(node.Content))
	for i, child := range node.Content {
		c.Content[i] = copyNode(child)
	}
	return &c
}

// File is a file to be written.
type File struct {
	Path string
	Text []byte
}

// Files are the set's files, to be written into dir.
func (s *Set) Files(dir string) ([]File, error) {
	var all []File
	for _, f := range s.files {
		text, err := encode(f.docs)
		if err != nil {
			return nil, err
		}
		all = append(all, File{filepath.Join(dir, filepath.Base(f.path)), text})
	}
	return all, nil
}

func encode(docs []*yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	for _, doc := range docs {
		if err := enc.Encode(doc); err != nil {
			return nil, err
		}
	}
	err := enc.Close()
	return out.Bytes(), err
}

// values visits each literal value that may carry an address or a path.
func (s *Set) values(visit func(*yaml.Node)) {
	for _, f := range s.files {
		for _, doc := range f.docs {
			root := doc.Content[0]
			if url := find(root, "spec", "baseUrl"); url != nil && url.Kind == yaml.ScalarNode {
				visit(url)
			}
			for _, value := range s.metadata(root) {
				visit(value)
			}
		}
	}
}

// mailers visits host and port of each SMTP component that points to the
// default inbox.
func (s *Set) mailers(visit func(host, port *yaml.Node)) {
	for _, f := range s.files {
		for _, doc := range f.docs {
			root := doc.Content[0]
			values := s.metadata(root)
			host, port := values["host"], values["port"]
			if !strings.Contains(text(root, "spec", "type"), "smtp") || host == nil || port == nil {
				continue
			}
			local := host.Value == "127.0.0.1" || host.Value == "localhost"
			if local && net.JoinHostPort("127.0.0.1", port.Value) == DefaultSMTP {
				visit(host, port)
			}
		}
	}
}

// metadata returns the literal and the bound values of a component's metadata by
// name.
func (s *Set) metadata(root *yaml.Node) map[string]*yaml.Node {
	values := map[string]*yaml.Node{}
	items := find(root, "spec", "metadata")
	if items == nil {
		return values
	}
	for _, item := range items.Content {
		if value := find(item, "value"); value != nil && value.Kind == yaml.ScalarNode {
			values[text(item, "name")] = value
		} else if bound := s.env[text(item, "envRef")]; bound != nil {
			values[text(item, "name")] = bound
		}
	}
	return values
}

func text(node *yaml.Node, path ...string) string {
	found := find(node, path...)
	if found == nil || found.Kind != yaml.ScalarNode {
		return ""
	}
	return found.Value
}

func find(node *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		if node == nil || node.Kind != yaml.MappingNode {
			return nil
		}
		var next *yaml.Node
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == key {
				next = node.Content[i+1]
			}
		}
		node = next
	}
	return node
}
