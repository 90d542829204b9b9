package statefile

import (
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"strings"
)

// maxFileName keeps room for our suffixes within the 255 bytes a name may have.
const maxFileName = 200

// safeInName is what stands for itself in a file name.
const safeInName = "0123456789_-+=@,.[]()&!"

// FileName returns the name of a folder's state file, without directory or ending. No two folders
// share one, also where the file system ignores case or normalises Unicode:
//
//   - letters, digits and _-+=@,.[]()&! stand for themselves (a dot in front does not), every
//     other byte is %XX;
//   - if there are capital letters, ~ and a hexadecimal number follow, whose bit i says that
//     letter i is one: "INBOX" is "INBOX~1f", "Archive" is "Archive~1";
//   - the empty name is "~";
//   - what would be longer than 200 bytes is cut, and ~~ and half its SHA-256 follow.
//
// All but the last can be undone by FolderName; the file itself always holds the whole name.
func FileName(folder string) string {
	if folder == "" {
		return "~"
	}
	var out strings.Builder
	var capitals big.Int
	letters := 0
	for i := 0; i < len(folder); i++ {
		c := folder[i]
		lower := c | 0x20
		switch {
		case lower >= 'a' && lower <= 'z':
			if c != lower {
				capitals.SetBit(&capitals, letters, 1)
			}
			letters++
			out.WriteByte(c)
		case strings.IndexByte(safeInName, c) >= 0 && !(c == '.' && i == 0):
			out.WriteByte(c)
		default:
			out.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	if capitals.Sign() != 0 {
		out.WriteString("~" + capitals.Text(16))
	}
	if out.Len() <= maxFileName {
		return out.String()
	}
	sum := sha256.Sum256([]byte(folder))
	cut := strings.TrimRight(out.String()[:100], "%")
	if i := strings.LastIndexByte(cut, '%'); i >= 0 && i > len(cut)-3 {
		cut = cut[:i]
	}
	return strings.TrimSuffix(cut, "~") + "~~" + hex.EncodeToString(sum[:16])
}

// FolderName undoes FileName; ok is false for a name that was hashed or that FileName never gives.
func FolderName(file string) (folder string, ok bool) {
	body, _, _ := strings.Cut(file, "~")
	var out []byte
	for i := 0; i < len(body); i++ {
		c := body[i]
		if c == '%' {
			if i+2 >= len(body) {
				return "", false
			}
			hi, ok1 := unhex(body[i+1], upperHex)
			lo, ok2 := unhex(body[i+2], upperHex)
			if !ok1 || !ok2 {
				return "", false
			}
			c = hi<<4 | lo
			i += 2
		}
		out = append(out, c)
	}
	// Only what leads back to the same file name is right; that settles every odd case.
	if FileName(string(out)) != file {
		return "", false
	}
	return string(out), true
}
