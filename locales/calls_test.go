package locales

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/stretchr/testify/require"
)

func localize(p Printer, key string, count int) (string, error) {
	return p.localizer.Localize(&i18n.LocalizeConfig{MessageID: key, PluralCount: count, TemplateData: map[string]any{"Count": count}})
}

// call is one place in the tree that asks for a sentence.
type call struct {
	place string
	key   string
	names []string // names of arguments that are handed in
}

// The whole tree is looked through, so that a wrong key fails here and is not seen by a person first.
func TestEverySentenceThatIsCalledForExists(t *testing.T) {
	english := readSentences(t, Fallback)
	for _, c := range callsInTree(t, "..") {
		if !containsKey(english, c.key) {
			t.Errorf("%s asks for %s, which no file in locales/%s has", c.place, c.key, Fallback)
			continue
		}
		wanted := english.arguments(c.key)
		if english.counts(c.key) && !slices.Contains(wanted, "Count") {
			wanted = append(wanted, "Count")
		}
		for _, name := range wanted {
			if !slices.Contains(c.names, name) {
				t.Errorf("%s asks for %s without its argument %q", c.place, c.key, name)
			}
		}
	}
}

func callsInTree(t *testing.T, root string) (calls []call) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && name != root || entry.Name() == "locales" || entry.Name() == "node_modules"):
			return fs.SkipDir
		case strings.HasSuffix(name, "_test.go"):
			return nil
		case strings.HasSuffix(name, ".go"):
			calls = append(calls, callsInGo(t, name)...)
		case strings.HasSuffix(name, ".html") || strings.HasSuffix(name, ".tmpl"):
			calls = append(calls, callsInTemplate(t, name)...)
		}
		return nil
	})
	require.NoError(t, err)
	return calls
}

func callsInGo(t *testing.T, name string) (calls []call) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, 0)
	if err != nil {
		return nil // the compiler tells it better
	}
	ast.Inspect(file, func(n ast.Node) bool {
		expr, ok := n.(*ast.CallExpr)
		if !ok || len(expr.Args) == 0 {
			return true
		}
		if sel, ok := expr.Fun.(*ast.SelectorExpr); !ok || sel.Sel.Name != "T" {
			return true
		}
		if key := literal(expr.Args[0]); keyShape.MatchString(key) {
			c := call{place: set.Position(expr.Pos()).String(), key: key}
			for _, arg := range expr.Args[1:] {
				c.names = append(c.names, literal(arg))
			}
			calls = append(calls, c)
		}
		return true
	})
	return calls
}

func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return text
}

var (
	templateCall = regexp.MustCompile(`[.$]\w*\.?T "([a-z]+\.[a-z0-9_]+)"([^}]*)`)
	templateName = regexp.MustCompile(`"(\w+)"`)
)

func callsInTemplate(t *testing.T, name string) (calls []call) {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	for _, m := range templateCall.FindAllStringSubmatch(string(text), -1) {
		c := call{place: name, key: m[1]}
		for _, arg := range templateName.FindAllStringSubmatch(m[2], -1) {
			c.names = append(c.names, arg[1])
		}
		calls = append(calls, c)
	}
	return calls
}
