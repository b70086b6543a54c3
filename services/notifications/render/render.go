// Package render makes mails and text messages of templates.
//
// Templates are files, built in and overridable one by one from a folder:
//
//	layout.html, layout.txt        what every mail stands in, in every language
//	<language>/format.json         how the language writes amounts and dates
//	<language>/common.html, .txt   words that messages share
//	<language>/<message>.html      blocks title, preheader and body
//	<language>/<message>.txt       blocks subject, text and, for messages that have one, sms
//
// A message with a code is an SMS alone: it has no .html, and no block text.
//
// A folder of a further language is all it takes to add the language. HTML is escaped by
// html/template.
package render

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"net/url"
	"os"
	"path"
	"strings"
	texttemplate "text/template"
	"time"
	_ "time/tzdata" // TIME_ZONE works in an image without zone files

	"sidecart.dev/kit/fault"
	"sidecart.dev/notifications"
)

//go:embed templates
var builtIn embed.FS

// Config says what messages look like. PublicURL and DefaultLocale are required.
type Config struct {
	Dir           string // folder of templates that replace built-in ones; empty: none
	PublicURL     string // where links lead, without a slash at the end
	ShopName      string // who writes
	DefaultLocale string // language of those whose language there is no folder for
	TimeZone      string // IANA name of the zone of dates; empty: UTC
}

// Renderer implements [notifications.Renderer]. It is safe for concurrent use.
type Renderer struct {
	cfg       Config
	languages map[string]*language
}

var _ notifications.Renderer = (*Renderer)(nil)

type language struct {
	tag    string
	format format
	html   map[string]*htmltemplate.Template
	text   map[string]*texttemplate.Template
}

// New reads every template and renders every message in every language once, so that a template
// that cannot work is found when the service starts.
func New(cfg Config) (*Renderer, error) {
	cfg.PublicURL = strings.TrimSuffix(cfg.PublicURL, "/")
	zone, err := time.LoadLocation(cfg.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("TIME_ZONE: %w", err)
	}
	files, err := open(cfg.Dir)
	if err != nil {
		return nil, err
	}
	r := &Renderer{cfg: cfg, languages: map[string]*language{}}
	folders, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		l, err := parse(files, folder.Name(), zone)
		if err != nil {
			return nil, fmt.Errorf("language %s: %w", folder.Name(), err)
		}
		r.languages[folder.Name()] = l
	}
	if r.languages[cfg.DefaultLocale] == nil {
		return nil, fmt.Errorf("there are no templates for the default locale %q", cfg.DefaultLocale)
	}
	return r, r.try()
}

// open returns the templates, those of the folder before the built-in ones.
func open(dir string) (fs.FS, error) {
	base, err := fs.Sub(builtIn, "templates")
	if err != nil || dir == "" {
		return base, err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("TEMPLATES_DIR: %q is not a folder", dir)
	}
	return overlay{os.DirFS(dir), base}, nil
}

func parse(files fs.FS, tag string, zone *time.Location) (*language, error) {
	f, err := readFormat(files, tag, zone)
	if err != nil {
		return nil, err
	}
	l := &language{
		tag: tag, format: f,
		html: map[string]*htmltemplate.Template{}, text: map[string]*texttemplate.Template{},
	}
	for _, m := range notifications.Messages() {
		name := tag + "/" + m.Template
		texts := []string{"layout.txt", tag + "/common.txt", name + ".txt"}
		if m.Code {
			texts = texts[2:]
		}
		l.text[m.Template], err = texttemplate.New(path.Base(texts[0])).Funcs(functions).
			Option("missingkey=error").ParseFS(files, texts...)
		if err != nil {
			return nil, err
		}
		if m.Code {
			continue
		}
		l.html[m.Template], err = htmltemplate.New("layout.html").Funcs(functions).
			Option("missingkey=error").
			ParseFS(files, "layout.html", tag+"/common.html", name+".html")
		if err != nil {
			return nil, err
		}
	}
	return l, nil
}

// functions are what templates may call beyond the built-in ones.
var functions = map[string]any{
	// link makes the argument of the block "button".
	"link": func(label, href string) link { return link{label, href} },
}

type link struct{ Label, URL string }

// typicalHTML is what the HTML of most mails fits in, in bytes.
const typicalHTML = 8 << 10

// Render implements [notifications.Renderer].
func (r *Renderer) Render(template string,
	c notifications.Content,
) (out notifications.Rendered, err error) {
	l := r.language(c.Locale)
	text, ok := l.text[template]
	if !ok {
		return out, noTemplate(template)
	}
	v := r.view(l, c)
	if out.Subject, err = subject(text, v); err != nil {
		return out, err
	}
	var html, plain, sms strings.Builder
	if mail, ok := l.html[template]; ok {
		html.Grow(typicalHTML)
		if err := mail.Execute(&html, v); err != nil {
			return out, err
		}
		if err := text.Execute(&plain, v); err != nil {
			return out, err
		}
	}
	if text.Lookup("sms") != nil {
		if err := text.ExecuteTemplate(&sms, "sms", v); err != nil {
			return out, err
		}
	}
	if plain.Len() > 0 {
		out.HTML, out.Text = html.String(), tidy(plain.String())
	}
	out.SMS = notifications.OneLine(strings.TrimSpace(sms.String()))
	return out, nil
}

// Subject implements [notifications.Renderer].
func (r *Renderer) Subject(template string, c notifications.Content) (string, error) {
	l := r.language(c.Locale)
	text, ok := l.text[template]
	if !ok {
		return "", noTemplate(template)
	}
	return subject(text, r.view(l, c))
}

func noTemplate(name string) error {
	return fault.Newf(fault.Internal, "internal", "There is no template %s.", name)
}

func subject(t *texttemplate.Template, v view) (string, error) {
	var out strings.Builder
	if err := t.ExecuteTemplate(&out, "subject", v); err != nil {
		return "", err
	}
	return notifications.OneLine(strings.TrimSpace(out.String())), nil
}

// language returns the language of a locale such as "de" or "de-AT".
func (r *Renderer) language(locale string) *language {
	locale = strings.ToLower(locale)
	base, _, _ := strings.Cut(strings.ReplaceAll(locale, "_", "-"), "-")
	for _, tag := range []string{locale, base} {
		if l, ok := r.languages[tag]; ok {
			return l
		}
	}
	return r.languages[r.cfg.DefaultLocale]
}

// try renders every message.
func (r *Renderer) try() error {
	for tag := range r.languages {
		for _, m := range notifications.Messages() {
			out, err := r.Render(m.Template, Sample(m, tag))
			if err != nil {
				return fmt.Errorf("language %s: %w", tag, err)
			}
			if out.Subject == "" || out.Text == "" && !m.Code {
				return fmt.Errorf("language %s: %s has no subject or no text", tag, m.Template)
			}
			if (m.Kind != notifications.Security || m.Code) && out.SMS == "" {
				return fmt.Errorf("language %s: %s has no sms", tag, m.Template)
			}
		}
	}
	return nil
}

// linkTo makes a link into the browser client, with an optional token.
func (r *Renderer) linkTo(page, token string) string {
	to := r.cfg.PublicURL + "/#/" + page
	if token != "" {
		to += "?token=" + url.QueryEscape(token)
	}
	return to
}

// tidy ends lines without spaces and allows one empty line in a row.
func tidy(s string) string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimSpace(s), "\n") {
		line = strings.TrimRight(line, " \t")
		if line != "" || out[len(out)-1] != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n") + "\n"
}
