// Package config reads OfflineIMAP's configuration file and says, in terms a
// user can act on, what is wrong with it.
//
// The file is an INI file read the way Python's configparser reads it: keys
// are lower-cased, sections are not; a key ends at the first "=" or ":"; lines
// beginning with "#" or ";" are comments, also inside a value of several
// lines; there are no comments behind a value; a line indented deeper than its
// key continues the value; %(name)s is replaced from the same section or from
// [DEFAULT], %% is a percent sign; keys of [DEFAULT] appear in every section.
//
// Where Python stops and real files need it, the reader goes on with a
// warning: a key or section written twice (the last one wins), a lone percent
// sign (taken as it is), a comment behind a number or a yes/no.
//
// Text travels one way: prescan splits the file into logical lines with their
// line numbers and takes out what ini.v1 reads otherwise than Python does,
// ini.v1 reads the rest into sections and keys, interpolate fills in %(x)s,
// and build turns the sections into accounts. Every key is one row of a table
// (see Keys); validation, suggestions and the help text come from it.
//
// Python expressions, and the functions of a pythonfile, are evaluated by
// package pyexpr where that gives exactly what Python gives. For the rest the
// program asks a short python3 child on its loop (Python.Missing, Answered);
// where there is none, the account refuses to sync (Account.Refused): a filter
// silently ignored would sync the wrong folders.
package config
