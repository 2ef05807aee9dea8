package app_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// allowed says which of our packages each package may import: adapters know
// the core and never each other, the core knows nobody.
var allowed = map[string][]string{
	"mailroom/bridge":          {},
	"mailroom/bridge/outbox":   {"mailroom/bridge"},
	"mailroom/content":         {},
	"mailroom/locales":         {},
	"mailroom/config":          {},
	"mailroom/migrations":      {},
	"mailroom/store":           {"mailroom/bridge", "mailroom/migrations"},
	"mailroom/mailin":          {"mailroom/bridge", "mailroom/content", "mailroom/locales"},
	"mailroom/mailout":         {"mailroom/bridge", "mailroom/content", "mailroom/locales"},
	"mailroom/webui":           {"mailroom/bridge", "mailroom/content", "mailroom/locales"},
	"mailroom/appservice":      {"mailroom/bridge", "mailroom/content", "mailroom/locales"},
	"mailroom/xmpp":            {"mailroom/bridge", "mailroom/content", "mailroom/locales"},
	"mailroom":                 {"mailroom/app", "mailroom/config"},
	"mailroom/store/storetest": {"mailroom/store"},
	"mailroom/mailin/dnstest":  {},
}

// owners says which packages alone may import a library.
var owners = map[string][]string{
	"maunium.net/go/mautrix":      {"mailroom/appservice"},
	"github.com/xmppo/go-xmpp":    {"mailroom/xmpp"},
	"github.com/emersion/go-smtp": {"mailroom/mailin", "mailroom/mailout"},
	"github.com/jmoiron/sqlx":     {"mailroom/store", "mailroom/store/storetest"},
	"github.com/lib/pq":           {"mailroom/store", "mailroom/store/storetest"},
	"modernc.org/sqlite":          {"mailroom/store"},
}

func TestImportsPointInward(t *testing.T) {
	for name, imports := range listImports(t) {
		if name == "mailroom/app" || strings.HasPrefix(name, "mailroom/test") {
			continue // app knows everybody; the whole-product tests drive all
		}
		permitted, known := allowed[name]
		require.True(t, known, "package %s is new: say in this table what it may import", name)
		for _, i := range imports {
			if i == "mailroom" || strings.HasPrefix(i, "mailroom/") {
				require.Contains(t, permitted, i, "%s must not import %s", name, i)
			}
		}
	}
}

func TestLibrariesStayWithTheirOwners(t *testing.T) {
	for name, imports := range listImports(t) {
		if strings.HasPrefix(name, "mailroom/test") {
			continue
		}
		for _, i := range imports {
			for library, packages := range owners {
				if i == library || strings.HasPrefix(i, library+"/") {
					require.Contains(t, packages, name, "%s must not import %s", name, i)
				}
			}
		}
	}
}

func TestTheCoreNeedsTheStandardLibraryAndUUIDsOnly(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "mailroom/bridge").Output()
	require.NoError(t, err)
	for _, dep := range strings.Fields(string(out)) {
		if strings.Contains(strings.Split(dep, "/")[0], ".") {
			require.Equal(t, "github.com/google/uuid", dep)
		}
	}
}

// listImports lists what each of our packages imports, tests not counted.
func listImports(t *testing.T) map[string][]string {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}:{{join .Imports \" \"}}", "mailroom/...").Output()
	require.NoError(t, err)
	all := make(map[string][]string)
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		name, imports, _ := strings.Cut(line, ":")
		all[name] = strings.Fields(imports)
	}
	require.NotEmpty(t, all)
	return all
}
