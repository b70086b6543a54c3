package list

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"sidecart.dev/kit/fault"
)

// A cursor is base64url of: the version, the position as a big-endian number, and half a checksum
// of both and of the list's name.
const (
	cursorVersion = 2
	cursorBytes   = 1 + 8 + 2
)

// EncodeCursor makes an opaque cursor that continues the named list below position seq; the cursor
// of 0 is empty.
func EncodeCursor(name string, seq uint64) string {
	if seq == 0 {
		return ""
	}
	b := binary.BigEndian.AppendUint64([]byte{cursorVersion}, seq)
	sum := crc32.Update(crc32.ChecksumIEEE(b), crc32.IEEETable, []byte(name))
	b = binary.BigEndian.AppendUint16(b, uint16(sum))
	return base64.RawURLEncoding.EncodeToString(b)
}

// DecodeCursor reads a cursor made by EncodeCursor for the same list; the empty cursor is 0.
// Anything else, a cursor of another list included, is an Invalid fault with code invalid_cursor. A
// cursor is no secret and gives no access: it is checked only to tell mistakes.
func DecodeCursor(name, cursor string) (uint64, error) {
	if cursor == "" {
		return 0, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil && len(b) == cursorBytes {
		if seq := binary.BigEndian.Uint64(b[1:9]); EncodeCursor(name, seq) == cursor {
			return seq, nil
		}
	}
	return 0, fault.New(fault.Invalid, "invalid_cursor",
		"The cursor is not one of this list. Start again without a cursor.")
}
