package main

import (
	"os"
	"regexp"
	"testing"
)

var (
	testFunc  = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	testNamed = regexp.MustCompile(`\bTest[A-Z]\w*[A-Za-z0-9]\b`)
	testLink  = regexp.MustCompile(`(?m)^\[(Test\w+)\]: (\S+)$`)
	testRef   = regexp.MustCompile(`\[(Test\w+)\]`)
	ruleTest  = regexp.MustCompile(`^TestRule(\d+)_`)
)

// TestReadmeNamesTests: every test that the README names is there, every link leads
// to its file, and each of the eleven rules has tests.
func TestReadmeNamesTests(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	rules := map[string]bool{}
	for _, s := range sources(t) {
		if !s.isTest() {
			continue
		}
		for _, m := range testFunc.FindAllSubmatch(s.text, -1) {
			have[string(m[1])], have[string(m[1])+" in "+s.path] = true, true
			if r := ruleTest.FindSubmatch(m[1]); r != nil {
				rules[string(r[1])] = true
			}
		}
	}
	for _, name := range testNamed.FindAll(readme, -1) {
		if !have[string(name)] {
			t.Errorf("the README names %s, which is not there", name)
		}
	}
	links := map[string]bool{}
	for _, m := range testLink.FindAllSubmatch(readme, -1) {
		links[string(m[1])] = true
		if !have[string(m[1])+" in "+string(m[2])] {
			t.Errorf("%s is not in %s", m[1], m[2])
		}
	}
	for _, m := range testRef.FindAllSubmatch(readme, -1) {
		if !links[string(m[1])] {
			t.Errorf("%s is a link to nowhere", m[1])
		}
	}
	if len(links) < 60 || len(rules) != 11 {
		t.Errorf("%d tests are linked, of %d rules", len(links), len(rules))
	}
}
