package observability

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// ofTheScrape are the labels that Prometheus gives.
var ofTheScrape = []string{"job", "service", "instance"}

var annotated = regexp.MustCompile(`\{\{ \$labels\.(\w+) \}\}`)

func TestRulesNameOnlyMetricsAndLabelsThatExist(t *testing.T) {
	for _, r := range rules(t) {
		has := checkQuery(t, r.Record+r.Alert, r.Expr)
		for _, found := range annotated.FindAllStringSubmatch(r.Annotations["summary"], -1) {
			if !slices.Contains(has, found[1]) {
				t.Errorf("%s says its %s, which its result does not have", r.Alert, found[1])
			}
		}
	}
}

// checkQuery holds a query against Prometheus's own parser and the metrics that there are, and
// returns the labels that its result can have.
func checkQuery(t *testing.T, where, query string) (labels []string) {
	t.Helper()
	expr, err := parser.ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return nil
	}
	return checker{t, where}.labels(expr)
}

type checker struct {
	*testing.T
	where string
}

// labels returns those that the result of an expression can have; nil: it is a number.
func (c checker) labels(e parser.Expr) []string {
	c.Helper()
	switch e := e.(type) {
	case *parser.VectorSelector:
		return c.selected(e)
	case *parser.MatrixSelector:
		return c.labels(e.VectorSelector)
	case *parser.ParenExpr:
		return c.labels(e.Expr)
	case *parser.Call:
		return c.first(e.Args...)
	case *parser.BinaryExpr:
		return c.first(e.LHS, e.RHS)
	case *parser.AggregateExpr:
		has := c.labels(e.Expr)
		for _, label := range e.Grouping {
			if !slices.Contains(has, label) {
				c.Errorf("%s groups by %s, which there is not", c.where, label)
			}
		}
		return append([]string{}, e.Grouping...)
	case *parser.NumberLiteral:
		return nil
	}
	c.Errorf("%s: nobody knows which labels %T has", c.where, e)
	return nil
}

// first checks all expressions and returns the labels of the first that is no number.
func (c checker) first(all ...parser.Expr) (labels []string) {
	c.Helper()
	for _, e := range all {
		if has := c.labels(e); labels == nil {
			labels = has
		}
	}
	return labels
}

func (c checker) selected(s *parser.VectorSelector) []string {
	c.Helper()
	has, exists := c.series(s.Name)
	if !exists {
		c.Errorf("%s asks for %s, which does not exist", c.where, s.Name)
		return nil
	}
	for _, matcher := range s.LabelMatchers {
		if matcher.Name != "__name__" && !slices.Contains(has, matcher.Name) {
			c.Errorf("%s asks for %s by %s, a label that it does not have",
				c.where, s.Name, matcher.Name)
		}
	}
	return has
}

// series returns the labels of what is scraped or recorded under a name.
func (c checker) series(name string) (labels []string, exists bool) {
	c.Helper()
	recorded := slices.IndexFunc(rules(c.T), func(r rulefmt.Rule) bool { return r.Record == name })
	if recorded >= 0 {
		return checkQuery(c.T, name, rules(c.T)[recorded].Expr), true
	}
	m, exists := metrics(c.T)[plain(name)]
	if !exists {
		m, exists = sidecarMetrics[name]
	}
	labels = append(slices.Clone(m.labels), ofTheScrape...)
	if strings.HasSuffix(name, "_bucket") {
		labels = append(labels, "le")
	}
	return labels, exists || name == "up"
}

// plain returns the name of the histogram that a series is of.
func plain(name string) string {
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}
