# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A token for tests, which anybody may mint; `behaviour` says how it goes wrong.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

balanceOf: public(HashMap[address, uint256])
# 0: as it should be; 1: answers false and moves nothing; 2: calls `hook` with `payload` first, from within a transfer.
behaviour: public(uint256)
hook: address
payload: Bytes[2048]


@external
def mint(to: address, amount: uint256):
    self.balanceOf[to] += amount
    log Transfer(sender=empty(address), receiver=to, amount=amount)


@external
def behave(behaviour: uint256, hook: address, payload: Bytes[2048]):
    self.behaviour = behaviour
    self.hook = hook
    self.payload = payload


@external
def transfer(to: address, amount: uint256) -> bool:
    if self.behaviour == 1:
        return False
    if self.behaviour == 2:
        self.behaviour = 0
        raw_call(self.hook, self.payload)
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[to] += amount
    log Transfer(sender=msg.sender, receiver=to, amount=amount)
    return True
