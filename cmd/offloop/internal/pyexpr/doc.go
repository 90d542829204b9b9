// Package pyexpr evaluates the Python people write into a configuration file:
// lambdas over folder names, literals, and the functions of a pythonfile.
//
// It stands on go.starlark.net, whose language is close to Python's. What is
// between the two is bridged in three steps, in the order text travels:
//
//	lex        Python's tokens; a string's escapes, prefixes and neighbours are
//	           resolved as Python does, and the string becomes a constant
//	translate  tokens to Starlark source: "is None", generator expressions,
//	           set literals, imports, "try: return d[k]" with an except
//	rewrite    the syntax tree: comparisons that know True == 1, indices that
//	           may be a bool, sums and products with a bounded size
//
// Strings are a type of their own (Str), since Starlark's count bytes and
// Python's count characters. Patterns are translated for Go's regexp; one that
// the two would read differently is refused.
//
// The rule throughout: a value is either the one Python gives, or an error.
// A *PyError is one Python raises as well (a missing key, an index out of
// range); every other error means that this package cannot tell, and that a
// real Python may be asked (see Ask).
//
// Evaluation is bounded in steps and in the size of values, so that no
// configuration can hang the loop.
package pyexpr
