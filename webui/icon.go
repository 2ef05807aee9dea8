package webui

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strconv"
	"strings"

	"mailroom/bridge"
)

// The icon in a mail shows if its session is open. A wrong token gets the picture of an ended session, with the same
// status, headers and length: asking for pictures tells nobody which sessions exist.
var iconOpen, iconEnded, nothing = icons()

const (
	iconSize = 64 // pixels; mails show it at half of that
	fineness = 4  // samples a side for each pixel
)

func (s *Server) icon(w http.ResponseWriter, r *http.Request) {
	picture := iconEnded
	token, ok := strings.CutSuffix(r.PathValue("file"), ".png")
	if ok && s.open(r, token) {
		picture = iconOpen
	}
	// The picture changes with the session, and mail providers keep pictures: they shall ask again.
	w.Header().Set("Cache-Control", "no-cache")
	writePNG(w, picture)
}

func (s *Server) open(r *http.Request, token string) bool {
	h, err := s.service.Holder(r.Context(), bridge.RightIcon, token)
	if err != nil {
		return false
	}
	room, err := s.service.Room(r.Context(), h.Session)
	return err == nil && room.Session.State == bridge.Open
}

func writePNG(w http.ResponseWriter, picture []byte) {
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Content-Length", strconv.Itoa(len(picture)))
	_, _ = w.Write(picture) // who went away needs no picture
}

func icons() (open, ended, nothing []byte) {
	open = encodePNG(drawIcon(color.NRGBA{0x1c, 0x6b, 0x62, 0xff}, inDots))
	ended = encodePNG(drawIcon(color.NRGBA{0x7d, 0x84, 0x88, 0xff}, inBar))
	size := max(len(open), len(ended)) + pngChunk
	return padPNG(open, size), padPNG(ended, size), encodePNG(image.NewNRGBA(image.Rect(0, 0, 1, 1)))
}

// drawIcon draws a speech bubble with a sign in it; each pixel is the mean of fineness² samples.
func drawIcon(fill color.NRGBA, sign func(x, y float64) bool) image.Image {
	picture := image.NewNRGBA(image.Rect(0, 0, iconSize, iconSize))
	const samples = fineness * fineness
	for i := range iconSize * iconSize {
		inside, white := 0, 0
		for j := range samples {
			x := float64(i%iconSize) + (float64(j%fineness)+.5)/fineness
			y := float64(i/iconSize) + (float64(j/fineness)+.5)/fineness
			if inBubble(x, y) {
				inside++
				if sign(x, y) {
					white++
				}
			}
		}
		if inside > 0 {
			picture.SetNRGBA(i%iconSize, i/iconSize, blend(fill, white, inside, samples))
		}
	}
	return picture
}

func blend(fill color.NRGBA, white, inside, samples int) color.NRGBA {
	mix := func(c uint8) uint8 { return uint8((int(c)*(inside-white) + 0xff*white) / inside) }
	return color.NRGBA{mix(fill.R), mix(fill.G), mix(fill.B), uint8(0xff * inside / samples)}
}

// inBubble: a rounded box from (4,8) to (60,50), and a tail below it.
func inBubble(x, y float64) bool {
	const radius = 12
	dx := max(4+radius-x, x-(60-radius), 0)
	dy := max(8+radius-y, y-(50-radius), 0)
	tail := x >= 15 && y >= 48 && y < 61 && x+y < 78
	return dx*dx+dy*dy < radius*radius || tail
}

func inDots(x, y float64) bool {
	for _, center := range []float64{19, 32, 45} {
		if dx, dy := x-center, y-29; dx*dx+dy*dy < 4*4 {
			return true
		}
	}
	return false
}

func inBar(x, y float64) bool { return x > 18 && x < 46 && y > 26.5 && y < 31.5 }

func encodePNG(picture image.Image) []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, picture) // memory takes everything, and the size is legal
	return b.Bytes()
}

// pngChunk is what a chunk has beside its data: length, type and checksum (PNG, section 5.3).
const pngChunk = 12

// padPNG makes a picture size bytes long by a private ancillary chunk, which viewers skip, before the last chunk.
func padPNG(picture []byte, size int) []byte {
	end := len(picture) - pngChunk // IEND has no data
	body := append([]byte("paDd"), make([]byte, size-len(picture)-pngChunk)...)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(body)-4))
	chunk = append(chunk, body...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(body))
	return append(append(append([]byte(nil), picture[:end]...), chunk...), picture[end:]...)
}
