"""What the escrow's transactions use in gas on a real EVM (py-evm by eth-tester), beside what they may.

    chain_gas.py [--folder FOLDER]    one JSON object a line; status 1 where one is above its limit

The limits are 1.3 times what a probe of such a contract took. One token, three referees of whom two decide, eight leaves;
calls are encoded and signed by eth-abi and eth-account, and not by Parley. The EVM comes from PyPI into a throw-away
environment (environment.py).
"""

import argparse
import json
import pathlib
import sys

sys.dont_write_bytecode = True
from environment import Environments, peer_lines, tell

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LIMITS = {"deploy": int(377983 * 1.3), "settle": int(46602 * 1.3), "claim": int(85869 * 1.3)}


def measure():
    """Runs in the environment that has the EVM: prints a line for each transaction."""
    import warnings

    warnings.filterwarnings("ignore")
    from eth_abi import encode
    from eth_account import Account
    from eth_tester import EthereumTester, PyEVMBackend
    from eth_utils import keccak, to_canonical_address

    tester = EthereumTester(PyEVMBackend())
    payer, sponsor = tester.get_accounts()[:2]

    def send(to, data):
        transaction = {"from": payer, "gas": 3_000_000, "data": "0x" + data.hex()}
        receipt = tester.get_transaction_receipt(tester.send_transaction(transaction | ({"to": to} if to else {})))
        assert receipt["status"] == 1, receipt
        return receipt

    def call(signature, types, values):
        return keccak(text=signature)[:4] + encode(types, values)

    def say(name, receipt):
        tell({"bench": f"chain_gas_{name}", "gas": receipt["gas_used"], "limit": LIMITS.get(name)})

    tokens = json.loads((ROOT / "Tests/ChainRailTests/evm/tokens.json").read_text())
    escrow = json.loads((ROOT / "Sources/ChainRail/Contract/Escrow.json").read_text())
    token = send(None, bytes.fromhex(tokens["TestToken"][2:]))["contract_address"]
    referees = sorted((Account.from_key(bytes([n] * 32)) for n in (1, 2, 3)), key=lambda r: int(r.address, 16))
    deadline = tester.get_block_by_number("latest")["timestamp"] + 1_000
    terms = [token, sponsor, [r.address for r in referees], 2, deadline, 500, 500, 10_000]
    types = ["address", "address", "address[]", "uint256", "uint256", "uint256", "uint256", "uint256"]
    made = send(None, bytes.fromhex(escrow["bytecode"][2:]) + encode(types, terms))
    say("deploy", made)
    contract = made["contract_address"]
    pot = 80_000_000
    send(token, call("mint(address,uint256)", ["address", "uint256"], [payer, 2 * pot]))
    say("fund", send(token, call("transfer(address,uint256)", ["address", "uint256"], [contract, pot])))

    domain = b"\x19\x00" + to_canonical_address(contract) + tester.backend.chain.chain_id.to_bytes(10, "big")
    leaves = [[bytes([1] * 32), n, Account.from_key(bytes([40 + n] * 32)).address, 2, 1_000, keccak(bytes([n]))] for n in range(8)]
    leaf_types = ["bytes32", "uint256", "address", "uint256", "uint256", "bytes32"]
    levels = [[keccak(b"\0" + domain + encode(leaf_types, leaf)) for leaf in leaves]]
    while len(levels[-1]) > 1:
        pairs = zip(levels[-1][::2], levels[-1][1::2])
        levels.append([keccak(b"\1" + min(a, b) + max(a, b)) for a, b in pairs])
    root = levels[-1][0]
    digest = keccak(domain + encode(["uint256", "uint256", "bytes32"], [1, deadline, root]))
    signed = [r.unsafe_sign_hash(digest) for r in referees[:2]]
    seats = [(r.address, s.v, s.r, s.s) for r, s in zip(referees, signed)] + [(referees[2].address, 0, 0, 0)]
    seat = "(address,uint256,uint256,uint256)[]"
    say("settle", send(contract, call(f"decide(bytes32,uint256,{seat})", ["bytes32", "uint256", seat], [root, 2, seats])))

    tester.time_travel(tester.get_block_by_number("pending")["timestamp"] + 600)
    for index, leaf in enumerate(leaves[:2]):
        path = [level[index >> depth ^ 1] for depth, level in enumerate(levels[:-1])]
        signature = "claim(bytes32,uint256,address,uint256,uint256,bytes32,bytes32[])"
        receipt = send(contract, call(signature, leaf_types + ["bytes32[]"], leaf + [path]))
        if index == 0:
            say("claim", receipt)
    tester.time_travel(tester.get_block_by_number("pending")["timestamp"] + 600)
    say("refund", send(contract, call("refund()", [], [])))


def main():
    arguments = argparse.ArgumentParser(description="Gas of the escrow's transactions.")
    arguments.add_argument("--folder", help="where environments are kept; a temporary folder otherwise")
    # `run` names the executable of each part; this one needs none.
    arguments.add_argument("--parley-bench", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    is_within = True
    with Environments(chosen.folder) as environments:
        for line in peer_lines(environments, "evm", __file__, []):
            tell(line)
            is_within &= "skipped" in line or line["limit"] is None or line["gas"] <= line["limit"]
    sys.exit(0 if is_within else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["evm"]:
        measure()
    else:
        main()
