//go:build race

package bridge_test

// underRace says that the race detector is on, which makes everything slow.
const underRace = true
