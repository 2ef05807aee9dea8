// Package locales holds the sentences that people read on the page, in mails and in rooms.
//
// How to add a sentence:
//   - The files are <language>/<gateway>.yaml, for example en/page.yaml, de/mail.yaml, fr/room.yaml. A gateway adds only to
//     its own file; a gateway without a file makes one in every language folder.
//   - Each line is "gateway.name: sentence". The key begins with the file's name: in page.yaml every key is "page.…".
//     Keys are flat, lower case, with "_" between words. Put a sentence with ":" or "#" in it into double quotes.
//   - Arguments are named: "Hello {{.Name}}", filled by p.T("page.hello", "Name", person.Name).
//   - A sentence that counts has one line for each plural form of its language under the key ("one:" and "other:" in
//     English and German, "one:", "many:" and "other:" in French), and is called with "Count": p.T("page.unread", "Count", 3).
//   - Sentences are plain text, never HTML: whoever renders them escapes them. A whole sentence is one key; never glue
//     halves together, since other languages order their words differently.
//   - Every language that is here must have every key with the same arguments; the tests of this package compare them, and
//     look through the whole tree for calls of T with a key or an argument name that does not exist.
//   - In html/template hand in the Printer: {{.Printer.T "page.hello" "Name" .Name}}, <html lang="{{.Printer.Lang}}" dir="{{.Printer.Dir}}">.
package locales

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"gopkg.in/yaml.v3"
)

// Fallback is the language of those whose own language is not known or not here.
const Fallback = "en"

//go:embed */*.yaml
var files embed.FS

// Catalogue holds the sentences of all languages. It never changes after it is made and is safe for concurrent use.
type Catalogue struct {
	languages []string
	printers  []Printer // one for each of languages
	matcher   language.Matcher
}

// Default returns the catalogue that is built into the program.
func Default() *Catalogue { return builtIn() }

// A built-in file that cannot be read is a fault of the build and is found by the first test that runs, hence the panic.
var builtIn = sync.OnceValue(func() *Catalogue {
	c, err := load(files)
	if err != nil {
		panic("locales: " + err.Error())
	}
	return c
})

// Languages returns the BCP 47 tags of the languages that are here, Fallback first, the others in alphabetical order.
func (c *Catalogue) Languages() []string { return append([]string(nil), c.languages...) }

// For returns the printer of the best language for somebody who wants langs, most wanted first. Each of langs is a
// BCP 47 tag or a whole Accept-Language header; what cannot be parsed is passed over, and with nothing left it is Fallback.
func (c *Catalogue) For(langs ...string) Printer {
	_, index := language.MatchStrings(c.matcher, langs...)
	return c.printers[index]
}

// Printer says sentences in one language. The zero Printer returns keys. It is safe for concurrent use.
type Printer struct {
	lang      string
	dir       string
	localizer *i18n.Localizer
}

// Lang returns the BCP 47 tag of the language, as for the lang attribute of HTML.
func (p Printer) Lang() string { return p.lang }

// Dir returns the direction of the script, "ltr" or "rtl", as for the dir attribute of HTML.
func (p Printer) Dir() string { return p.dir }

// T returns the sentence of key with args, which are pairs of name and value, filled in. "Count" also chooses the
// plural form. A key that does not exist is returned itself, so that a person sees a hint and never a failure.
func (p Printer) T(key string, args ...any) string {
	if p.localizer == nil {
		return key
	}
	values, count := named(args)
	// An error beside a text means that the fallback language or form was taken, which is the best there is.
	text, err := p.localizer.Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: values, PluralCount: count})
	if text == "" && err != nil {
		return key
	}
	return text
}

// named turns pairs of name and value into a map, and picks out the count if it is a whole number.
func named(args []any) (values map[string]any, count any) {
	values = make(map[string]any, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		if name, ok := args[i].(string); ok {
			values[name] = args[i+1]
		}
	}
	switch n := values["Count"].(type) {
	case int, int64:
		count = n
	}
	return values, count
}

// load reads <language>/<gateway>.yaml for all languages of fsys.
func load(fsys fs.FS) (*Catalogue, error) {
	languages, err := languagesOf(fsys)
	if err != nil {
		return nil, err
	}
	bundle := i18n.NewBundle(language.MustParse(Fallback))
	bundle.RegisterUnmarshalFunc("yaml", yaml.Unmarshal)
	c := &Catalogue{languages: languages}
	var tags []language.Tag
	for _, lang := range languages {
		tag, err := language.Parse(lang)
		if err != nil {
			return nil, fmt.Errorf("folder %s is not named after a language: %w", lang, err)
		}
		if err := addLanguage(bundle, fsys, lang); err != nil {
			return nil, err
		}
		tags = append(tags, tag)
		c.printers = append(c.printers, Printer{lang: lang, dir: direction(tag), localizer: i18n.NewLocalizer(bundle, lang)})
	}
	c.matcher = language.NewMatcher(tags)
	return c, nil
}

// languagesOf lists the folders, with Fallback first because a matcher falls back to its first language.
func languagesOf(fsys fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("list languages: %w", err)
	}
	languages := []string{Fallback}
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != Fallback {
			languages = append(languages, entry.Name())
		}
	}
	return languages, nil
}

func addLanguage(bundle *i18n.Bundle, fsys fs.FS, lang string) error {
	names, err := fs.Glob(fsys, lang+"/*.yaml")
	if err != nil {
		return fmt.Errorf("list sentences of %s: %w", lang, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return fmt.Errorf("read sentences: %w", err)
		}
		// go-i18n takes the language from the name, which it wants as gateway.language.yaml.
		gateway := strings.TrimSuffix(path.Base(name), ".yaml")
		if _, err := bundle.ParseMessageFileBytes(text, gateway+"."+lang+".yaml"); err != nil {
			return fmt.Errorf("parse %s: %w", name, err)
		}
	}
	return nil
}

// direction tells the direction of the script that the language is usually written in.
func direction(tag language.Tag) string {
	script, _ := tag.Script()
	switch script.String() {
	case "Arab", "Hebr", "Syrc", "Thaa", "Nkoo":
		return "rtl"
	}
	return "ltr"
}
