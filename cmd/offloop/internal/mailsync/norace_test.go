//go:build !race

package mailsync

const raceOn = false
