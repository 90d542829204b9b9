// Package ui shows what a synchroniser does: as lines of text, as lines for
// programs, or as a live screen in a terminal. It knows events, lines, lights
// and keys, and nothing of mail protocols.
//
// Everything is driven by one stream of [Event] values, so every interface
// tells the same story and a recorded stream replays it:
//
//	events ─┬─> Text      ttyui, basic, quiet, syslog: one line an event
//	        ├─> Machine   machineui: severity:command:thread:payload
//	        ├─> JSONLines --json: one event a line
//	        └─> Model ──> Frame ──> Screen ──> bytes for the terminal
//	              ▲                   │
//	              └────── Key ────────┘ <── bytes from the terminal
//
// [Model] is pure: events, keys and the time go in, a [Frame] of cells and
// [Action] values come out; no terminal, clock or file is touched. [Screen]
// alone knows the terminal library. It never reads or writes the terminal
// itself: its owner hands it the bytes read and takes the bytes to write, so
// that a terminal which stops reading can delay nothing but its own picture.
//
// Rules that hold in the whole package:
//   - Nothing a server or a file system named reaches a terminal unescaped
//     ([Safe]).
//   - A password is never part of an event, a frame, a line or a log.
//   - No function blocks on the terminal, and none reads a clock: time comes
//     with the events or as an argument.
//   - Any size works, down to one cell.
package ui
