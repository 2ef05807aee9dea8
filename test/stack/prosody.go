package main

import (
	"context"
	_ "embed"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

//go:embed prosody.cfg.lua.tmpl
var prosodyTemplate string

//go:embed mod_loopback_s2s.lua
var loopbackModule []byte

// prosody is one XMPP server for one host and its room service: plain
// connections on loopback only, open registration, messages kept for who is
// away.
type prosody struct {
	*process
	host      string
	client    string // address for clients
	component string // address for components (XEP-0114)
	// roomService is the host's own MUC service (XEP-0045).
	roomService string
}

// prosodyPorts are what one Prosody listens on.
type prosodyPorts struct {
	client, component, server int
}

func chooseProsodyPorts(config ProsodyConfig, held *ports) (first, second prosodyPorts, err error) {
	wanted := []struct {
		port    *int
		fixed   int
		purpose string
	}{
		{&first.client, config.ClientPort, "Prosody's clients"},
		{&first.component, config.ComponentPort, "Prosody's components"},
		{&first.server, 0, "Prosody's federation"},
		{&second.client, 0, "the second Prosody's clients"},
		{&second.component, 0, "the second Prosody's components"},
		{&second.server, 0, "the second Prosody's federation"},
	}
	var problems []error
	for _, want := range wanted {
		port, err := held.choose(want.fixed, want.purpose)
		problems = append(problems, err)
		*want.port = port
	}
	return first, second, errors.Join(problems...)
}

// newProsodies prepares the first Prosody and, if asked for, the second one
// that federates with it.
func newProsodies(config Config, dir string, held *ports, spawner spawner) ([]*prosody, error) {
	binary, err := exec.LookPath("prosody")
	if err != nil {
		return nil, errors.New("the program prosody is missing: install the package prosody (apt-get install prosody)")
	}
	first, second, err := chooseProsodyPorts(config.Prosody, held)
	if err != nil {
		return nil, err
	}
	main := prosodySite{
		name: "prosody", host: config.Domain, binary: binary, dir: dir,
		components: config.Prosody.Components, ports: first,
	}
	sites := []prosodySite{main}
	if other := config.Prosody.SecondHost; other != "" {
		targets := main.targets()
		stranger := prosodySite{name: "second", host: other, binary: binary, dir: dir + "-second", ports: second}
		for host, port := range stranger.targets() {
			targets[host] = port
		}
		sites[0].federation, stranger.federation = targets, targets
		sites = append(sites, stranger)
	}
	servers := make([]*prosody, len(sites))
	for i, site := range sites {
		if servers[i], err = site.prepare(spawner); err != nil {
			return nil, err
		}
	}
	return servers, nil
}

// prosodySite is the plan of one Prosody.
type prosodySite struct {
	name, host, binary, dir string
	components              []Component
	ports                   prosodyPorts
	// federation maps each host of both servers to its server-to-server port;
	// empty: no federation.
	federation map[string]int
}

// roomService is the host's own MUC service.
func (s prosodySite) roomService() string { return "conference." + s.host }

// targets are the hosts that this site serves, with the port that reaches them.
func (s prosodySite) targets() map[string]int {
	targets := map[string]int{s.host: s.ports.server, s.roomService(): s.ports.server}
	for _, component := range s.components {
		targets[component.Name] = s.ports.server
	}
	return targets
}

// prepare writes the configuration into the site's folder.
func (s prosodySite) prepare(spawner spawner) (*prosody, error) {
	data, plugins := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "plugins")
	for _, folder := range []string{data, plugins} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(plugins, "mod_loopback_s2s.lua"), loopbackModule, 0o644); err != nil {
		return nil, err
	}
	configFile := filepath.Join(s.dir, "prosody.cfg.lua")
	if err := s.writeConfig(configFile, data, plugins); err != nil {
		return nil, err
	}
	p := &prosody{host: s.host, client: loopback(s.ports.client), component: loopback(s.ports.component), roomService: s.roomService()}
	p.process = &process{
		name: s.name, log: filepath.Join(s.dir, "prosody.log"), quit: syscall.SIGTERM, spawner: spawner,
		answers: p.listens(len(s.components) > 0),
		command: func() *exec.Cmd { return exec.Command(s.binary, "-F", "--config", configFile) },
	}
	return p, nil
}

func (s prosodySite) writeConfig(file, data, plugins string) error {
	text, err := fill(prosodyTemplate, map[string]any{
		"Host": s.host, "RoomService": s.roomService(), "Components": s.components,
		"ClientPort": s.ports.client, "ComponentPort": s.ports.component, "ServerPort": s.ports.server,
		"Targets": s.federation, "Data": data, "Plugins": plugins, "PIDFile": filepath.Join(s.dir, "prosody.pid"),
	})
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o600)
}

// listens tells that clients and, where there are any, components can connect.
func (p *prosody) listens(withComponents bool) func(context.Context) error {
	addresses := []string{p.client}
	if withComponents {
		addresses = append(addresses, p.component)
	}
	return func(ctx context.Context) error {
		for _, address := range addresses {
			connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err != nil {
				return err
			}
			if err := connection.Close(); err != nil {
				return err
			}
		}
		return nil
	}
}
