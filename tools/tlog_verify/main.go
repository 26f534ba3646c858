// tlog_verify checks C2SP tiled logs and proofs with golang.org/x/mod, code that is not ours.
//
//	usage: tlog_verify DIR VKEY [OLD-CHECKPOINT-FILE...]
//	       tlog_verify -pruned N DIR VKEY [OLD-CHECKPOINT-FILE...]
//	       tlog_verify -growing VKEY DIR...
//	       tlog_verify -proof FILE ENTRY VKEY
//
// DIR holds checkpoint, tile/<L>/<N>[.p/<W>] and tile/entries/<N>[.p/<W>]. It opens the
// checkpoint with VKEY, recomputes the root from the tiles, checks every entry in the bundles
// against the level-0 tiles that root covers, proves and checks the inclusion of every entry
// (every 97th above 20,000), and the consistency with each older checkpoint. With -growing each DIR
// is the log at a later size, and is also checked against the checkpoint of the DIR before it; then
// each inclusion proof is of every 7th entry, beginning with another one at each DIR, and of the last.
//
// With -pruned the bundles of entries before N are gone by the log's retention. Their hashes must be
// there, and are checked against the root as the others; their inclusion is proven from these.
//
// With -proof FILE is a .tlog-proof (c2sp.org/tlog-proof@v1) and ENTRY a file with the bytes of the
// entry: the checkpoint's signature and the inclusion are checked, nothing else is needed.
//
// Exit status 0 and one line of counts when all hold; 1 and the first fault otherwise.
//
// Build with Debian's packages golang-go and golang-golang-x-mod-dev:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o tlog_verify main.go
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type tiles struct{ root string }

func (t tiles) Height() int                     { return 8 }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(ts []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range ts {
		p := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		b, err := readTile(t.root, p, tile.W*tlog.HashSize)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// readTile reads a tile; a partial one may have been deleted once the full one exists.
func readTile(root, p string, want int) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(root, p))
	if err != nil {
		if i := strings.Index(p, ".p/"); i >= 0 {
			b, err = os.ReadFile(filepath.Join(root, p[:i]))
		}
	}
	if err != nil {
		return nil, err
	}
	if len(b) < want {
		return nil, fmt.Errorf("%s: %d bytes, want %d", p, len(b), want)
	}
	return b[:want], nil
}

func tilePath(n int64) string {
	s := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	return s
}

func die(format string, a ...interface{}) {
	fmt.Printf("FAIL "+format+"\n", a...)
	os.Exit(1)
}

func open(file string, v note.Verifier) tlog.Tree {
	b, err := os.ReadFile(file)
	if err != nil {
		die("%v", err)
	}
	return openBytes(file, b, v)
}

func openBytes(file string, b []byte, v note.Verifier) tlog.Tree {
	n, err := note.Open(b, note.VerifierList(v))
	if err != nil {
		die("%s: %v", file, err)
	}
	l := strings.Split(n.Text, "\n")
	if len(l) < 4 {
		die("%s: too few lines", file)
	}
	if l[0] != v.Name() {
		die("%s: origin %q is not the key's name %q", file, l[0], v.Name())
	}
	size, err := strconv.ParseInt(l[1], 10, 64)
	if err != nil {
		die("%s: size: %v", file, err)
	}
	h, err := tlog.ParseHash(l[2])
	if err != nil {
		die("%s: root: %v", file, err)
	}
	return tlog.Tree{N: size, Hash: h}
}

func verifier(vkey string) note.Verifier {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		die("vkey: %v", err)
	}
	return v
}

func usage() {
	fmt.Println("usage: tlog_verify DIR VKEY [OLD-CHECKPOINT-FILE...]")
	fmt.Println("       tlog_verify -pruned N DIR VKEY [OLD-CHECKPOINT-FILE...]")
	fmt.Println("       tlog_verify -growing VKEY DIR...")
	fmt.Println("       tlog_verify -proof FILE ENTRY VKEY")
	os.Exit(2)
}

func main() {
	switch {
	case len(os.Args) == 5 && os.Args[1] == "-proof":
		checkProof(os.Args[2], os.Args[3], verifier(os.Args[4]))
	case len(os.Args) >= 4 && os.Args[1] == "-growing":
		v := verifier(os.Args[2])
		var olds []string
		inclusion, consistency := 0, 0
		for k, dir := range os.Args[3:] {
			_, i, c := checkLog(dir, v, olds, 7, int64(k%7), 0)
			inclusion += i
			consistency += c
			olds = []string{filepath.Join(dir, "checkpoint")}
		}
		fmt.Printf("ok logs=%d inclusion=%d consistency=%d\n", len(os.Args)-3, inclusion, consistency)
	case len(os.Args) >= 5 && os.Args[1] == "-pruned":
		minimum, err := strconv.ParseInt(os.Args[2], 10, 64)
		if err != nil || minimum < 0 {
			usage()
		}
		size, inclusion, consistency := checkLog(os.Args[3], verifier(os.Args[4]), os.Args[5:], 1, 0, minimum)
		fmt.Printf("ok size=%d inclusion=%d consistency=%d\n", size, inclusion, consistency)
	case len(os.Args) >= 3 && !strings.HasPrefix(os.Args[1], "-"):
		size, inclusion, consistency := checkLog(os.Args[1], verifier(os.Args[2]), os.Args[3:], 1, 0, 0)
		fmt.Printf("ok size=%d inclusion=%d consistency=%d\n", size, inclusion, consistency)
	default:
		usage()
	}
}

func checkProof(file, entryFile string, v note.Verifier) {
	b, err := os.ReadFile(file)
	if err != nil {
		die("%v", err)
	}
	entry, err := os.ReadFile(entryFile)
	if err != nil {
		die("%v", err)
	}
	cut := strings.Index(string(b), "\n\n")
	if cut < 0 {
		die("%s: no empty line before the checkpoint", file)
	}
	lines := strings.Split(string(b[:cut]), "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		die("%s: first line %q", file, lines[0])
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		die("%s: no index", file)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil || index < 0 {
		die("%s: index %q", file, lines[0])
	}
	var proof tlog.RecordProof
	for _, line := range lines[1:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			die("%s: hash %q: %v", file, line, err)
		}
		proof = append(proof, h)
	}
	tree := openBytes(file, b[cut+2:], v)
	if index >= tree.N {
		die("%s: index %d in a tree of %d", file, index, tree.N)
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		die("%s: %v", file, err)
	}
	fmt.Printf("ok index=%d size=%d origin=%s\n", index, tree.N, v.Name())
}

// checkLog returns the size, and how many inclusion and consistency proofs held. Inclusion is proven of every step-th
// entry, beginning with first. Bundles that end before minimum must be gone.
func checkLog(root string, v note.Verifier, olds []string, step, first, minimum int64) (int64, int, int) {
	tree := open(filepath.Join(root, "checkpoint"), v)
	hr := tlog.TileHashReader(tree, tiles{root})
	if tree.N == 0 {
		if tree.Hash != sha256.Sum256(nil) {
			die("root of the empty tree is not SHA-256 of nothing")
		}
	} else {
		th, err := tlog.TreeHash(tree.N, hr)
		if err != nil {
			die("tree hash: %v", err)
		}
		if th != tree.Hash {
			die("root differs from the tiles")
		}
	}
	// Every leaf hash below comes from tiles that TileHashReader has authenticated against the root.
	if tree.N > 20000 {
		step = 97
	}
	inclusion := 0
	for n := int64(0); n*256 < tree.N; n++ {
		count := tree.N - n*256
		p := "tile/entries/" + tilePath(n)
		if count > 256 {
			count = 256
		} else if count < 256 {
			p += ".p/" + strconv.FormatInt(count, 10)
		}
		b, err := os.ReadFile(filepath.Join(root, p))
		exact := err == nil
		if err != nil && strings.Contains(p, ".p/") {
			b, err = os.ReadFile(filepath.Join(root, p[:strings.Index(p, ".p/")]))
		}
		gone := n*256+count <= minimum
		if gone && err == nil {
			die("%s: is there, below the minimum index %d", p, minimum)
		}
		if !gone && err != nil {
			die("%v", err)
		}
		var want []int64
		for k := int64(0); k < count; k++ {
			want = append(want, tlog.StoredHashIndex(0, n*256+k))
		}
		leaves, err := hr.ReadHashes(want)
		if err != nil {
			die("%s: level-0 hashes: %v", p, err)
		}
		for k := int64(0); gone && k < count; k++ {
			i := n*256 + k
			if i%step != first && i != tree.N-1 {
				continue
			}
			proof, err := tlog.ProveRecord(tree.N, i, hr)
			if err != nil {
				die("prove %d: %v", i, err)
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, i, leaves[k]); err != nil {
				die("entry %d: %v", i, err)
			}
			inclusion++
		}
		for k := int64(0); !gone && k < count; k++ {
			if len(b) < 2 || len(b) < 2+int(binary.BigEndian.Uint16(b)) {
				die("%s: bundle ends at entry %d of %d", p, k, count)
			}
			l := int(binary.BigEndian.Uint16(b))
			entry := b[2 : 2+l]
			b = b[2+l:]
			i := n*256 + k
			if tlog.RecordHash(entry) != leaves[k] {
				die("entry %d differs from its leaf hash", i)
			}
			if i%step != first && i != tree.N-1 {
				continue
			}
			proof, err := tlog.ProveRecord(tree.N, i, hr)
			if err != nil {
				die("prove %d: %v", i, err)
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, i, tlog.RecordHash(entry)); err != nil {
				die("entry %d: %v", i, err)
			}
			inclusion++
		}
		if len(b) > 0 && exact {
			die("%s: %d bytes after the last entry", p, len(b))
		}
	}
	consistency := 0
	for _, f := range olds {
		old := open(f, v)
		if old.N == 0 {
			continue
		}
		if old.N == tree.N {
			if old.Hash != tree.Hash {
				die("%s: same size, other root", f)
			}
			consistency++
			continue
		}
		proof, err := tlog.ProveTree(tree.N, old.N, hr)
		if err != nil {
			die("%s: %v", f, err)
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
			die("%s: %v", f, err)
		}
		consistency++
	}
	return tree.N, inclusion, consistency
}
