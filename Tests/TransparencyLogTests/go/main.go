// Checks a log that Swift wrote with golang.org/x/mod/sumdb: note and tlog. Run by GoInteropTests:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run main.go FOLDER
//
// FOLDER has vkey, skey, checkpoint, old-checkpoint, tile/..., leaves (base64 of each entry, a line each), inclusion (index and
// hashes), consistency (hashes). It prints a note that Go signed under skey.
package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func fail(text string) { check(fmt.Errorf("%s", text)) }

var folder = os.Args[1]

func text(name string) string {
	data, err := os.ReadFile(filepath.Join(folder, name))
	check(err)
	return string(data)
}

func lines(name string) []string {
	return strings.Split(strings.TrimSuffix(text(name), "\n"), "\n")
}

func hash(line string) tlog.Hash {
	h, err := tlog.ParseHash(line)
	check(err)
	return h
}

func hashes(lines []string) []tlog.Hash {
	var all []tlog.Hash
	for _, line := range lines {
		if line != "" {
			all = append(all, hash(line))
		}
	}
	return all
}

func equal(a, b []tlog.Hash) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// tiles reads the tiles that Swift wrote: Go's paths have the height, 8, in front of the level.
type tiles struct{}

func (tiles) Height() int { return 8 }

func (tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func checkpoint(name string, verifiers note.Verifiers) tlog.Tree {
	n, err := note.Open([]byte(text(name)), verifiers)
	check(err)
	parts := strings.Split(n.Text, "\n")
	size, err := strconv.ParseInt(parts[1], 10, 64)
	check(err)
	return tlog.Tree{N: size, Hash: hash(parts[2])}
}

func main() {
	verifier, err := note.NewVerifier(strings.TrimSpace(text("vkey")))
	check(err)
	verifiers := note.VerifierList(verifier)
	head := checkpoint("checkpoint", verifiers)
	old := checkpoint("old-checkpoint", verifiers)

	// The tree over the entries, by Go alone.
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var all []tlog.Hash
		for _, index := range indexes {
			all = append(all, stored[index])
		}
		return all, nil
	})
	var records [][]byte
	for i, line := range lines("leaves") {
		record, err := base64.StdEncoding.DecodeString(line)
		check(err)
		records = append(records, record)
		more, err := tlog.StoredHashes(int64(i), record, reader)
		check(err)
		stored = append(stored, more...)
	}
	if int64(len(records)) != head.N {
		fail("another number of entries")
	}
	for _, tree := range []tlog.Tree{head, old} {
		root, err := tlog.TreeHash(tree.N, reader)
		check(err)
		if root != tree.Hash {
			fail("another root")
		}
	}

	// Proofs that Swift made, checked by Go, and the same ones made by Go from Swift's tiles.
	tiled := tlog.TileHashReader(head, tiles{})
	inclusion := lines("inclusion")
	index, err := strconv.ParseInt(inclusion[0], 10, 64)
	check(err)
	record := hashes(inclusion[1:])
	check(tlog.CheckRecord(record, head.N, head.Hash, index, tlog.RecordHash(records[index])))
	again, err := tlog.ProveRecord(head.N, index, tiled)
	check(err)
	if !equal(record, again) {
		fail("another inclusion proof")
	}
	tree := hashes(lines("consistency"))
	check(tlog.CheckTree(tree, head.N, head.Hash, old.N, old.Hash))
	grown, err := tlog.ProveTree(head.N, old.N, tiled)
	check(err)
	if !equal(tree, grown) {
		fail("another consistency proof")
	}
	// Every entry's leaf hash, through the tiles.
	for i := range records {
		found, err := tiled.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(i))})
		check(err)
		if found[0] != tlog.RecordHash(records[i]) {
			fail("another leaf")
		}
	}

	signer, err := note.NewSigner(strings.TrimSpace(text("skey")))
	check(err)
	signed, err := note.Sign(&note.Note{Text: "A note by Go,\n\nwith a blank line: \u00e8.\n"}, signer)
	check(err)
	os.Stdout.Write(signed)
}
