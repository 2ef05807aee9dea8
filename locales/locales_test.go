package locales

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

var (
	keyShape    = regexp.MustCompile(`^[a-z]+\.[a-z0-9_]+$`)
	placeholder = regexp.MustCompile(`\{\{\s*\.(\w+)\s*\}\}`)
)

// sentences holds for each key of a language its forms: "other" alone, or one text for each plural form.
type sentences map[string]map[string]string

func readSentences(t *testing.T, lang string) sentences {
	t.Helper()
	names, err := fs.Glob(files, lang+"/*.yaml")
	require.NoError(t, err)
	all := sentences{}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		require.NoError(t, err)
		var lines map[string]any
		require.NoError(t, yaml.Unmarshal(text, &lines), name)
		gateway := strings.TrimSuffix(path.Base(name), ".yaml")
		for key, value := range lines {
			require.Regexp(t, keyShape, key, name)
			require.True(t, strings.HasPrefix(key, gateway+"."), "%s: the key %q must begin with %q", name, key, gateway+".")
			all[key] = formsOf(t, name, key, value)
		}
	}
	return all
}

func formsOf(t *testing.T, name, key string, value any) map[string]string {
	t.Helper()
	switch v := value.(type) {
	case string:
		return map[string]string{"other": v}
	case map[string]any:
		forms := map[string]string{}
		for form, text := range v {
			forms[form] = fmt.Sprint(text)
		}
		return forms
	}
	require.Failf(t, "wrong kind of value", "%s: %s is a %T; put the sentence into double quotes", name, key, value)
	return nil
}

func (s sentences) arguments(key string) []string {
	set := map[string]bool{}
	for _, text := range s[key] {
		for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
			set[m[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func (s sentences) counts(key string) bool { return len(s[key]) > 1 || s[key]["other"] == "" }

func TestEveryLanguageHasEverySentence(t *testing.T) {
	english := readSentences(t, Fallback)
	for _, lang := range Default().Languages() {
		t.Run(lang, func(t *testing.T) {
			mine := readSentences(t, lang)
			for key := range english {
				if !containsKey(mine, key) {
					t.Errorf("%s lacks %s", lang, key)
					continue
				}
				require.Equal(t, english.arguments(key), mine.arguments(key), "arguments of %s", key)
				require.Equal(t, english.counts(key), mine.counts(key), "%s must count in all languages or in none", key)
			}
			for key := range mine {
				if !containsKey(english, key) {
					t.Errorf("%s has %s, which English lacks", lang, key)
				}
			}
		})
	}
}

func containsKey(s sentences, key string) bool { _, ok := s[key]; return ok }

func TestEverySentenceIsCleanText(t *testing.T) {
	for _, lang := range Default().Languages() {
		for key, forms := range readSentences(t, lang) {
			for form, text := range forms {
				require.NotEmpty(t, strings.TrimSpace(text), "%s %s %s", lang, key, form)
				require.NotContains(t, text, "\n", "%s %s %s is more than one line", lang, key, form)
				rest := placeholder.ReplaceAllString(text, "")
				require.NotContains(t, rest, "{", "%s %s %s: arguments are written {{.Name}}", lang, key, form)
			}
		}
	}
}

func TestEveryPluralFormOfTheLanguageIsThere(t *testing.T) {
	// Between them these counts take every form of every language of SPEC C6: Arabic has six.
	counts := []int{0, 1, 2, 3, 6, 11, 100, 1_000_000}
	for _, lang := range Default().Languages() {
		p := Default().For(lang)
		mine := readSentences(t, lang)
		for key := range mine {
			if !mine.counts(key) {
				continue
			}
			for _, count := range counts {
				text := p.T(key, "Count", count)
				require.NotEqual(t, key, text)
				_, err := localize(p, key, count)
				require.NoError(t, err, "%s %s for %d", lang, key, count)
			}
		}
	}
}

func TestLanguageIsChosenFromWishes(t *testing.T) {
	c := Default()
	for _, tt := range []struct {
		name   string
		wishes []string
		want   string
	}{
		{"plain tag", []string{"de"}, "de"},
		{"region", []string{"de-AT"}, "de"},
		{"first wish wins", []string{"fr", "de"}, "fr"},
		{"unknown first", []string{"fi", "fr"}, "fr"},
		{"rubbish first", []string{"no language;;", "fr"}, "fr"},
		{"header of a browser", []string{"fr-CH, fr;q=0.9, en;q=0.8"}, "fr"},
		{"weights of a browser", []string{"en;q=0.3, de;q=0.9"}, "de"},
		{"nothing", nil, "en"},
		{"empty", []string{""}, "en"},
		{"rubbish", []string{"\x00;;;q=", "💥"}, "en"},
	} {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, c.For(tt.wishes...).Lang()) })
	}
}

func TestPrinterFillsArgumentsAndCounts(t *testing.T) {
	c, err := load(fstest.MapFS{
		"en/page.yaml": file("page.hello: Hello {{.Name}}\npage.unread: {one: \"{{.Count}} message\", other: \"{{.Count}} messages\"}\npage.only_english: here"),
		"ar/page.yaml": file("page.hello: مرحبا {{.Name}}"),
	})
	require.NoError(t, err)
	p := c.For("en")
	require.Equal(t, "Hello {{.Evil}} <b>", p.T("page.hello", "Name", "{{.Evil}} <b>"))
	require.Equal(t, "1 message", p.T("page.unread", "Count", 1))
	require.Equal(t, "2 messages", p.T("page.unread", "Count", int64(2)))
	require.Equal(t, "ltr", p.Dir())

	arabic := c.For("ar-EG")
	require.Equal(t, "ar", arabic.Lang())
	require.Equal(t, "rtl", arabic.Dir())
	require.Equal(t, "here", arabic.T("page.only_english"), "English stands in")
}

func TestMissingKeyIsReturnedItself(t *testing.T) {
	p := Default().For("de")
	require.Equal(t, "page.no_such_key", p.T("page.no_such_key"))
	require.Equal(t, "page.no_such_key", p.T("page.no_such_key", "Name"), "an odd argument is passed over")
	require.Equal(t, "page.no_such_key", p.T("page.no_such_key", 1, 2, "Count", struct{}{}))
	require.Equal(t, "any", Printer{}.T("any"))
}

func TestBrokenFileIsNamed(t *testing.T) {
	_, err := load(fstest.MapFS{"en/page.yaml": file("page.x: [1, 2"), "de/page.yaml": file("page.x: y")})
	require.ErrorContains(t, err, "en/page.yaml")
	_, err = load(fstest.MapFS{"en/page.yaml": file("page.x: y"), "no_language/page.yaml": file("page.x: y")})
	require.ErrorContains(t, err, "no_language")
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func BenchmarkT(b *testing.B) {
	p := Default().For("de")
	for b.Loop() {
		p.T("mail.reply_above")
	}
}
