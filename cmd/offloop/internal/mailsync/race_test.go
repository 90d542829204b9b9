//go:build race

package mailsync

// raceOn: everything is ten times slower, so fewer crash points are visited.
const raceOn = true
