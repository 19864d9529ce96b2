"""An Ethereum chain in one process, py-evm by eth-tester, as JSON-RPC: a request a line on standard input, an answer a line on standard output.

Beside the node's methods that Parley uses there are those of a test: to make blocks, to set the clock on, to take blocks back, to give
coins, and to send from an account that has some.
"""

import json
import sys
import warnings

warnings.filterwarnings("ignore")
from eth_tester import EthereumTester, PyEVMBackend
from eth_tester.exceptions import TransactionFailed, TransactionNotFound

tester = EthereumTester(PyEVMBackend())
faucet = tester.get_accounts()[0]
COIN = 10**18


def block_number(tag):
    return tag if tag in ("latest", "pending", "earliest") else int(tag, 16)


def quantity(number):
    return hex(number)


def block(tag, _full):
    try:
        found = tester.get_block_by_number(block_number(tag))
    except Exception:
        return None
    return {
        "number": quantity(found["number"]), "hash": found["hash"], "parentHash": found["parent_hash"],
        "timestamp": quantity(found["timestamp"]), "baseFeePerGas": quantity(found["base_fee_per_gas"]),
    }


def receipt(name):
    try:
        found = tester.get_transaction_receipt(name)
    except TransactionNotFound:
        return None
    if found["block_number"] is None:
        return None
    return {
        "transactionHash": found["transaction_hash"], "blockHash": found["block_hash"],
        "blockNumber": quantity(found["block_number"]), "status": quantity(found["status"]),
        "gasUsed": quantity(found["gas_used"]), "contractAddress": found["contract_address"],
    }


def chain():
    return quantity(tester.backend.chain.chain_id)


def call(transaction, tag):
    try:
        return tester.call({"from": faucet, **transaction}, block_number(tag))
    except TransactionFailed as error:
        raise ValueError(f"execution reverted: {error}")


def send(to, data, value="0x0"):
    transaction = {"from": faucet, "gas": 3_000_000, "data": data, "value": int(value, 16)}
    if to:
        transaction["to"] = to
    return receipt(tester.send_transaction(transaction))


def mine(count):
    tester.mine_blocks(count)
    return True


def travel(seconds):
    tester.time_travel(tester.get_block_by_number("pending")["timestamp"] + seconds)
    tester.mine_block()
    return True


def automine(is_on):
    (tester.enable_auto_mine_transactions if is_on else tester.disable_auto_mine_transactions)()
    return True


def revert(snapshot):
    tester.revert_to_snapshot(snapshot)
    return True


METHODS = {
    "eth_chainId": chain,
    "eth_getBlockByNumber": block,
    "eth_getTransactionCount": lambda account, tag: quantity(tester.get_nonce(account, block_number(tag))),
    "eth_getTransactionReceipt": receipt,
    "eth_sendRawTransaction": tester.send_raw_transaction,
    "eth_call": call,
    "eth_getCode": lambda account, tag: tester.get_code(account, block_number(tag)),
    "test_send": send,
    "test_give": lambda account: send(account, "0x", hex(10 * COIN)),
    "test_mine": mine,
    "test_travel": travel,
    "test_automine": automine,
    "test_snapshot": tester.take_snapshot,
    "test_revert": revert,
}


def main():
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            answer["result"] = METHODS[request["method"]](*request["params"])
        except Exception as error:
            answer["error"] = {"code": -32000, "message": f"{type(error).__name__}: {error}"[:400]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
