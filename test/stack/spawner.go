package main

import (
	"os/exec"
	"runtime"
)

// spawner starts processes from one OS thread that lives as long as the
// program. The kernel ties a parent-death signal to the thread that forked, not
// to the process (prctl(2), PR_SET_PDEATHSIG), and Go ends threads at will: a
// peer started from any other thread could be killed while the stack is well.
type spawner chan func()

func newSpawner() spawner {
	jobs := make(spawner)
	go func() {
		runtime.LockOSThread()
		for job := range jobs {
			job()
		}
	}()
	return jobs
}

func (s spawner) start(command *exec.Cmd) error {
	result := make(chan error, 1)
	s <- func() { result <- command.Start() }
	return <-result
}
