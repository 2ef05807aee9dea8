package bridge_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// gates are the functions that decide: in a session, and for what belongs to
// none.
var gates = []string{"gate", "operate"}

// ungated are the exported methods of Service that pass no gate, each with the
// reason why it needs none. Everything else has to reach one.
var ungated = map[string]string{
	// What a gateway that serves a session asks about it; what of it a person is
	// shown goes through View, Room.Public, ShowsMember, ShowsAddress and Concerns.
	"Refusals": "a count for the operator's metrics",
	"Room":     "the whole room, for a gateway that serves it", "Log": "the whole log, for a lane that reads it",
	"Portal": "where the session's room is", "SetPortal": "where the session's room is", "SessionOf": "whose room it is",
	"Occupants": "which clients are inside", "Exit": "a client has gone, which nobody can refuse",
	"SetEndpoint": "how far an invitation has come, by the network's word", "Watch": "who may see whom, for a gateway that shows it",
	"SignsFor": "signals as one member may see them, for a gateway that serves the session",
	"SignsOf":  "signals of a session, which a gateway shows by Watch",
	"Heard":    "a signal that passed the gate of another node", "KeptFor": "what the options mean",
	"Subscribe": "hints without content", "SubscribeSignals": "hints without content", "OnSignal": "hints without content",
	// What a secret proves by itself; what its holder does with it passes the gate.
	"Holder": "who a token names", "Token": "what is written into a member's own mail", "Browser": "who a browser's secret is",
	"Browsers": "which browsers speak for the holder of a token in their own mail", "APIIdentity": "who a bearer token is",
	"CheckAccount": "an app password", "SigningIn": "whom a mailed link names", "SignIn": "a mailed link proves the address",
	"SignedIn": "who a sign-in's secret is", "SignIns": "a person's own", "SignOut": "ends what the caller holds the secret of",
	"ForgetBrowser": "ends what the caller holds the secret of", "SignOutEverywhere": "a person's own",
	"AskSignIn": "mails a link to the address itself, and answers nothing",
	// What is a person's own: personOf lets only who proved an address of theirs.
	"Presence": "a person's own", "SetPresence": "a person's own", "Blocks": "a person's own", "Block": "a person's own",
	"Unblock": "a person's own", "Addresses": "a person's own", "Sessions": "those of an address that was proved",
	// What has a rule of its own.
	"MayStart": "who may start sessions is the operator's list", "Start": "asks MayStart: there is no session yet",
	// What the machine does by itself, or an operator at its console.
	"EndOver": "time is over", "Retain": "time is over", "Wait": "waits for what was put off", "Letter": "a mail to its own reader",
	"MailFailed": "news of a mail, told to the initiator alone", "RecordFailed": "news of a lane",
	"Bounced":    "news of a mail, by the address that it was sent from",
	"NewAccount": "the command line, through the admin socket", "NewAPIToken": "the command line, through the admin socket",
}

// TestEveryActPassesTheGate follows the calls of every exported method of
// Service inside the package, until the gate.
func TestEveryActPassesTheGate(t *testing.T) {
	bridge := parsePackage(t, ".")
	reached := make(map[string]bool)
	for name, f := range bridge.methods("Service") {
		if !ast.IsExported(name) {
			continue
		}
		if passes := bridge.reaches(f, gates); !passes {
			require.Contains(t, ungated, name, "%s passes no gate: let it ask one, or name it with a reason why it needs none", name)
		} else {
			reached[name] = true
		}
	}
	for name := range ungated {
		require.Contains(t, bridge.methods("Service"), name, "there is no such method any more")
		require.NotContains(t, reached, name, "it passes a gate by now: take it out of the list")
	}
	require.Greater(t, len(reached), 20, "nothing was followed")
}

// TestEveryActHasARule compares the constants of type Act with the rows of the
// table. That a row says something of each standing and condition the compiler
// checks, since it has the length of the table.
func TestEveryActHasARule(t *testing.T) {
	bridge := parsePackage(t, ".")
	require.ElementsMatch(t, bridge.constants("Act"), bridge.keys("rules"))
	for name, rows := range bridge.rows("rules") {
		require.Equal(t, []int{len(bridge.constants("Standing")) - 1, len(bridge.constants("Condition")) - 1}, rows, name)
	}
}

// TestNoGatewayHasAnotherWayIn reads what each gateway asks of the core: methods
// of Service that pass the gate or are named above, and nothing else.
func TestNoGatewayHasAnotherWayIn(t *testing.T) {
	bridge := parsePackage(t, ".")
	for _, gateway := range []string{"webui", "mailin", "appservice", "xmpp"} {
		asked := parsePackage(t, filepath.Join("..", gateway)).interfaceMethods("Service")
		require.NotEmpty(t, asked, gateway)
		for _, name := range asked {
			f := bridge.methods("Service")[name]
			require.NotNil(t, f, "%s asks for %s, which the core has not", gateway, name)
			if _, ok := ungated[name]; !ok {
				require.True(t, bridge.reaches(f, gates), "%s: %s passes no gate", gateway, name)
			}
		}
	}
}

// TestNoGatewaySkipsItsInterface: a gateway that named the type itself could call
// any method of it.
func TestNoGatewaySkipsItsInterface(t *testing.T) {
	for _, gateway := range []string{"webui", "mailin", "mailout", "appservice", "xmpp"} {
		for name, file := range parsePackage(t, filepath.Join("..", gateway)).files {
			ast.Inspect(file, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && isIdent(s.X, "bridge") {
					require.NotContains(t, []string{"Service", "NewService", "Store", "Tx"}, s.Sel.Name, "%s reaches around its interface", name)
				}
				return true
			})
		}
	}
}

func isIdent(e ast.Expr, name string) bool {
	i, ok := e.(*ast.Ident)
	return ok && i.Name == name
}

// source is one package as it is written, without tests. Other packages are not
// looked into: what comes from them has no type.
type source struct {
	files map[string]*ast.File
	info  *types.Info
	decls map[types.Object]*ast.FuncDecl
}

func parsePackage(t *testing.T, dir string) *source {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	s := &source{files: map[string]*ast.File{}, decls: map[types.Object]*ast.FuncDecl{}}
	s.info = &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	positions := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(positions, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		s.files[name], files = file, append(files, file)
	}
	require.NotEmpty(t, files, dir)
	// The other packages are missing, which are errors that do not matter here.
	config := types.Config{Importer: nothing{}, Error: func(error) {}}
	if _, err := config.Check(dir, positions, files, s.info); err == nil {
		t.Log("everything has a type")
	}
	for _, file := range files {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				s.decls[s.info.Defs[f.Name]] = f
			}
		}
	}
	return s
}

// nothing imports an empty package for every path.
type nothing struct{}

func (nothing) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}

// methods are the methods of a pointer to a type, by name.
func (s *source) methods(of string) map[string]*ast.FuncDecl {
	found := make(map[string]*ast.FuncDecl)
	for _, f := range s.decls {
		if f.Recv == nil {
			continue
		}
		if star, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok && isIdent(star.X, of) {
			found[f.Name.Name] = f
		}
	}
	return found
}

// reaches says if a function calls one of the named ones, itself or through
// others of the package.
func (s *source) reaches(from *ast.FuncDecl, names []string) bool {
	seen := map[*ast.FuncDecl]bool{from: true}
	for waiting := []*ast.FuncDecl{from}; len(waiting) > 0; {
		f := waiting[0]
		waiting = waiting[1:]
		if f.Recv == nil && slices.Contains(names, f.Name.Name) {
			return true
		}
		ast.Inspect(f, func(n ast.Node) bool {
			i, ok := n.(*ast.Ident)
			if !ok {
				return true
			}
			if called := s.decls[s.info.Uses[i]]; called != nil && !seen[called] {
				seen[called] = true
				waiting = append(waiting, called)
			}
			return true
		})
	}
	return false
}

// constants are the names of the package's constants of a type.
func (s *source) constants(of string) (names []string) {
	for i, o := range s.info.Defs {
		c, ok := o.(*types.Const)
		if !ok || c.Parent() != c.Pkg().Scope() {
			continue
		}
		if named, ok := c.Type().(*types.Named); ok && named.Obj().Name() == of {
			names = append(names, i.Name)
		}
	}
	return names
}

func (s *source) table(name string) *ast.CompositeLit {
	for _, file := range s.files {
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range g.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && v.Names[0].Name == name {
					return v.Values[0].(*ast.CompositeLit)
				}
			}
		}
	}
	return nil
}

func (s *source) keys(table string) (names []string) {
	for name := range s.rows(table) {
		names = append(names, name)
	}
	return names
}

// rows are how many entries each part of each row of a table has.
func (s *source) rows(table string) map[string][]int {
	rows := make(map[string][]int)
	for _, e := range s.table(table).Elts {
		row := e.(*ast.KeyValueExpr)
		name := row.Key.(*ast.Ident).Name
		for _, part := range row.Value.(*ast.CompositeLit).Elts {
			rows[name] = append(rows[name], len(part.(*ast.CompositeLit).Elts))
		}
	}
	return rows
}

func (s *source) interfaceMethods(name string) (methods []string) {
	for _, file := range s.files {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != name {
				return true
			}
			if i, ok := spec.Type.(*ast.InterfaceType); ok {
				for _, m := range i.Methods.List {
					for _, n := range m.Names {
						methods = append(methods, n.Name)
					}
				}
			}
			return false
		})
	}
	return methods
}
