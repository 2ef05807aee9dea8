package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// stack is a set of peers in one folder.
type stack struct {
	config   Config
	ports    *ports
	dendrite *dendrite  // nil when not wanted
	prosody  []*prosody // the first host, then the federated one
	postgres *postgres  // nil when not wanted
}

// newStack prepares every peer that the configuration asks for, and starts
// none.
func newStack(ctx context.Context, config Config) (*stack, error) {
	s := &stack{config: config, ports: &ports{}}
	if err := s.prepare(ctx, newSpawner()); err != nil {
		s.ports.release()
		return nil, err
	}
	return s, nil
}

func (s *stack) prepare(ctx context.Context, spawner spawner) error {
	if err := os.MkdirAll(s.config.Dir, 0o755); err != nil {
		return err
	}
	var err error
	if s.config.Dendrite.Enabled {
		if s.dendrite, err = newDendrite(s.config, s.dir("dendrite"), s.ports, spawner); err != nil {
			return err
		}
	}
	if s.config.Prosody.Enabled {
		if s.prosody, err = newProsodies(s.config, s.dir("prosody"), s.ports, spawner); err != nil {
			return err
		}
	}
	if s.config.Postgres.Enabled {
		dir := s.dir("postgres")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if s.postgres, err = newPostgres(ctx, dir, s.ports, spawner); err != nil {
			return err
		}
	}
	return nil
}

func (s *stack) dir(peer string) string { return filepath.Join(s.config.Dir, peer) }

// processes are all peers, by the names that commands use.
func (s *stack) processes() map[string]*process {
	all := map[string]*process{}
	if s.dendrite != nil {
		all[s.dendrite.name] = s.dendrite.process
	}
	for _, server := range s.prosody {
		all[server.name] = server.process
	}
	if s.postgres != nil {
		all[s.postgres.name] = s.postgres.process
	}
	return all
}

// start starts all peers at once, and then makes the accounts. When one fails,
// the caller still has to stop the others.
func (s *stack) start(ctx context.Context) error {
	err := s.each(func(p *process) error { return p.start(ctx) })
	if err != nil {
		return err
	}
	for _, account := range s.config.Accounts {
		if err := s.register(ctx, account); err != nil {
			return err
		}
	}
	return nil
}

func (s *stack) register(ctx context.Context, account Account) error {
	if s.dendrite != nil {
		if err := s.dendrite.register(ctx, account); err != nil {
			return err
		}
	}
	for _, server := range s.prosody {
		if err := server.register(ctx, account); err != nil {
			return err
		}
	}
	return nil
}

// stop stops all peers and gives the ports back.
func (s *stack) stop() error {
	defer s.ports.release()
	return s.each((*process).stop)
}

// each does one thing with all peers at the same time.
func (s *stack) each(act func(*process) error) error {
	var (
		group    sync.WaitGroup
		mu       sync.Mutex
		problems []error
	)
	for _, peer := range s.processes() {
		group.Go(func() {
			if err := act(peer); err != nil {
				mu.Lock()
				defer mu.Unlock()
				problems = append(problems, err)
			}
		})
	}
	group.Wait()
	return errors.Join(problems...)
}

// find is the peer of that name.
func (s *stack) find(name string) (*process, error) {
	peer := s.processes()[name]
	if peer == nil {
		return nil, fmt.Errorf("there is no peer %q in this stack", name)
	}
	return peer, nil
}

// ready is what the stack prints when all peers answer.
type ready struct {
	Dendrite *dendriteReady `json:"dendrite,omitempty"`
	Prosody  *prosodyReady  `json:"prosody,omitempty"`
	Postgres *postgresReady `json:"postgres,omitempty"`
}

type dendriteReady struct {
	URL    string `json:"url"`
	Domain string `json:"domain"`
}

type prosodyReady struct {
	Client      string `json:"c2s"`
	Component   string `json:"component"`
	RoomService string `json:"muc"`
	// SecondClient is empty when there is no second host.
	SecondClient string `json:"second_c2s,omitempty"`
}

type postgresReady struct {
	URL string `json:"url"`
}

func (s *stack) ready() ready {
	var report ready
	if s.dendrite != nil {
		report.Dendrite = &dendriteReady{URL: s.dendrite.url, Domain: s.dendrite.domain}
	}
	if len(s.prosody) > 0 {
		main := s.prosody[0]
		report.Prosody = &prosodyReady{Client: main.client, Component: main.component, RoomService: main.roomService}
	}
	if len(s.prosody) > 1 {
		report.Prosody.SecondClient = s.prosody[1].client
	}
	if s.postgres != nil {
		report.Postgres = &postgresReady{URL: s.postgres.url("postgres")}
	}
	return report
}
