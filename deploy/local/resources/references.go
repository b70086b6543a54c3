package resources

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Reference is an environment variable that a component takes a value from.
type Reference struct {
	Name      string
	Component string
	Scopes    []string // the apps whose sidecars load the component; empty: all
}

// LoadedBy tells whether the app's sidecar loads the component.
func (r Reference) LoadedBy(app string) bool {
	return len(r.Scopes) == 0 || slices.Contains(r.Scopes, app)
}

// References are all that the set has, in the order of the files.
func (s *Set) References() []Reference {
	var all []Reference
	for _, f := range s.files {
		for _, doc := range f.docs {
			root := doc.Content[0]
			var scopes []string
			if list := find(root, "scopes"); list != nil {
				for _, scope := range list.Content {
					scopes = append(scopes, scope.Value)
				}
			}
			items := find(root, "spec", "metadata")
			if items == nil {
				continue
			}
			for _, item := range items.Content {
				if name := text(item, "envRef"); name != "" {
					all = append(all, Reference{name, text(root, "metadata", "name"), scopes})
				}
			}
		}
	}
	return all
}

// Bind gives the variables that the set refers to their values, and returns those that have none.
// From then on Needs and Write look at the values as if they stood in the files; they never get
// there.
func (s *Set) Bind(lookup func(name string) (value string, ok bool)) (missing []Reference) {
	s.env = map[string]*yaml.Node{}
	for _, ref := range s.References() {
		if s.env[ref.Name] != nil {
			continue
		}
		value, ok := lookup(ref.Name)
		if !ok {
			missing = append(missing, ref)
			continue
		}
		s.env[ref.Name] = &yaml.Node{Kind: yaml.ScalarNode, Value: value}
	}
	return missing
}

// Bound is the value of a bound variable: after Write, with every address where it really is.
func (s *Set) Bound(name string) (value string, ok bool) {
	node := s.env[name]
	if node == nil {
		return "", false
	}
	return node.Value, true
}

// Replace puts the resources of the other set in place of those of the same kind and name, and
// returns how many there were.
func (s *Set) Replace(other *Set) int {
	replaced := 0
	for _, f := range other.files {
		for _, doc := range f.docs {
			same := func(d *yaml.Node) bool { return identity(d) == identity(doc) }
			for i := range s.files {
				at := slices.IndexFunc(s.files[i].docs, same)
				if at >= 0 {
					s.files[i].docs[at] = doc
					replaced++
				}
			}
		}
	}
	return replaced
}

func identity(doc *yaml.Node) string {
	return fmt.Sprintf("%s %s", text(doc.Content[0], "kind"), text(doc.Content[0], "metadata", "name"))
}

// LoadFile reads one resource file.
func LoadFile(path string) (*Set, error) {
	docs, err := parse(path)
	if err != nil {
		return nil, fmt.Errorf("the resource file %s is broken: %w", path, err)
	}
	return &Set{files: []file{{path, docs}}}, nil
}
