# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize codesize
"""
@title Holds the pot of one task in an ERC-20 token, and pays it out as a quorum of referees decides.

@notice One word of state says what stands (`root`), another when that becomes final (`closes`). Before `closes`
    whoever brings the signatures of a quorum lets a root stand, another one, or NOTHING; each decision opens a whole
    window for the next. From `closes` on there are no decisions: whoever shows a leaf of the root has it paid, to the
    leaf's own address, once; and what is left goes back to the sponsor, after the claim period, or at once if nothing
    stands. Anybody may call: the money goes where it goes, whoever does.

    Funding is the token's own transfer to this address. No allowance is needed, and none outlives a mistake.

    Leaves and signatures are bound to this chain and this address by the contract itself. Amounts are in minor units,
    of `UNIT` of the token's each. Nothing here can be upgraded, paused or owned. A call that is refused says no reason:
    words would be a third of the code. Whether it would be refused is told by `root`, `closes` and `paid`.
"""

interface ERC20:
    def transfer(to: address, amount: uint256) -> bool: nonpayable
    def balanceOf(holder: address) -> uint256: view

event Decided:
    root: indexed(bytes32)
    closes: uint256

event Paid:
    index: indexed(uint256)
    payee: indexed(address)
    amount: uint256

# A referee, and ECDSA's numbers if she approves; zeros if not.
struct Seat:
    referee: address
    v: uint256
    r: uint256
    s: uint256

MOST_REFEREES: constant(uint256) = 31
LONGEST_PATH: constant(uint256) = 32
# That nothing stands: no leaf or node hashes to it.
NOTHING: constant(bytes32) = 0x0000000000000000000000000000000000000000000000000000000000000001
TOKEN: immutable(ERC20)
SPONSOR: immutable(address)
# The quorum and the referees: Keccak-256 of what came before and the next one, each as a word.
COURT: immutable(bytes32)
WINDOW: immutable(uint256)
CLAIM_PERIOD: immutable(uint256)
UNIT: immutable(uint256)
# What leaves and signatures are bound to: 0x1900 and this address (EIP-191, version 0: "data with intended validator"),
# then ten bytes of the chain's number. No transaction begins with 0x19.
DOMAIN: immutable(bytes32)

root: public(bytes32)
closes: public(uint256)
paid: public(HashMap[uint256, bool])


@deploy
def __init__(
    token: address, sponsor: address, referees: DynArray[address, MOST_REFEREES], quorum: uint256, deadline: uint256,
    window: uint256, claim_period: uint256, unit: uint256
):
    assert token.is_contract
    assert sponsor != empty(address)
    # Two decisions at once need a referee who signs both.
    assert quorum <= len(referees) and 2 * quorum > len(referees)
    assert deadline > block.timestamp
    assert window > 0 and claim_period > 0 and unit > 0
    last: uint160 = 0
    court: bytes32 = convert(quorum, bytes32)
    for referee: address in referees:
        # In ascending order: each once, and none is zero.
        assert convert(referee, uint160) > last and referee != sponsor
        last = convert(referee, uint160)
        court = keccak256(abi_encode(court, referee))
    TOKEN = ERC20(token)
    SPONSOR = sponsor
    COURT = court
    WINDOW = window
    CLAIM_PERIOD = claim_period
    UNIT = unit
    DOMAIN = convert(
        concat(0x1900, convert(self, bytes20), convert(convert(chain.id, uint80), bytes10)), bytes32
    )
    self.root = NOTHING
    self.closes = deadline


@external
def decide(choice: bytes32, quorum: uint256, seats: DynArray[Seat, MOST_REFEREES]):
    """
    @notice Lets a root stand, or NOTHING, as a quorum of the referees signed. They sign what stood and until when that
        could be changed as well, so that a signature is of use once.
    """
    closes: uint256 = self.closes
    assert block.timestamp < closes
    digest: bytes32 = keccak256(abi_encode(DOMAIN, self.root, closes, choice))
    court: bytes32 = convert(quorum, bytes32)
    approvals: uint256 = 0
    for seat: Seat in seats:
        court = keccak256(abi_encode(court, seat.referee))
        if seat.v != 0:
            assert ecrecover(digest, seat.v, seat.r, seat.s) == seat.referee
            approvals += 1
    assert court == COURT and approvals >= quorum
    closes = block.timestamp + WINDOW
    self.root = choice
    self.closes = closes
    log Decided(root=choice, closes=closes)


@external
@nonreentrant
def claim(
    settlement: bytes32, index: uint256, payee: address, role: uint256, amount: uint256, salt: bytes32,
    path: DynArray[bytes32, LONGEST_PATH]
):
    """
    @notice Pays a leaf of the root that stands.
    """
    assert block.timestamp >= self.closes and not self.paid[index]
    node: bytes32 = keccak256(concat(0x00, abi_encode(DOMAIN, settlement, index, payee, role, amount, salt)))
    for sibling: bytes32 in path:
        low: bytes32 = node
        high: bytes32 = sibling
        if convert(node, uint256) > convert(sibling, uint256):
            low = sibling
            high = node
        node = keccak256(concat(0x01, low, high))
    assert node == self.root
    self.paid[index] = True
    log Paid(index=index, payee=payee, amount=amount)
    self._send(payee, amount * UNIT)


@external
@nonreentrant
def refund():
    """
    @notice What is left, to the sponsor: as often as there is something.
    """
    opens: uint256 = self.closes
    if self.root != NOTHING:
        opens += CLAIM_PERIOD
    assert block.timestamp >= opens
    left: uint256 = staticcall TOKEN.balanceOf(self)
    self._send(SPONSOR, left)


@internal
def _send(to: address, amount: uint256):
    # Tokens that answer nothing are taken at their word; those that answer false are not.
    assert extcall TOKEN.transfer(to, amount, default_return_value=True)
