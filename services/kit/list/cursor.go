package list

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"sidecart.dev/kit/fault"
)

// A cursor is base64url of: the version, the position as a big-endian number, and half a checksum of both.
const (
	cursorVersion = 1
	cursorBytes   = 1 + 8 + 2
)

// EncodeCursor makes an opaque cursor that continues below position seq; the cursor of 0 is empty.
func EncodeCursor(seq uint64) string {
	if seq == 0 {
		return ""
	}
	b := binary.BigEndian.AppendUint64([]byte{cursorVersion}, seq)
	b = binary.BigEndian.AppendUint16(b, uint16(crc32.ChecksumIEEE(b)))
	return base64.RawURLEncoding.EncodeToString(b)
}

// DecodeCursor reads a cursor made by EncodeCursor; the empty cursor is 0. Anything else is an Invalid fault with code
// invalid_cursor. A cursor is no secret and gives no access: it is checked only to tell mistakes.
func DecodeCursor(cursor string) (uint64, error) {
	if cursor == "" {
		return 0, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) != cursorBytes || EncodeCursor(binary.BigEndian.Uint64(b[1:9])) != cursor {
		return 0, fault.New(fault.Invalid, "invalid_cursor", "The cursor is not one that was given out. Start again without a cursor.")
	}
	return binary.BigEndian.Uint64(b[1:9]), nil
}
