import { BlockList, isIP } from 'node:net';

/** What IANA keeps from the public network: https://www.iana.org/assignments/iana-ipv4-special-registry */
const NOT_PUBLIC_V4 =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 ' +
  '192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4';
/** Of version 6 only what is given out for the public network… */
const PUBLIC_V6 = '2000::/3';
/** …without tunnels, which lead to any address of version 4, and what is for documentation. */
const NOT_PUBLIC_V6 = '2001::/23 2001:db8::/32 2002::/16 3fff::/20';
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const MAPPED_IN_HEX = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i;

const notPublic = listOf(`${NOT_PUBLIC_V4} ${NOT_PUBLIC_V6}`.split(' '));
const publicV6 = listOf([PUBLIC_V6]);

/** Is it an address of the public network, and not of this machine, its neighbours, or a tunnel to them? */
export function isPublicAddress(address: string): boolean {
  const plain = withoutMapping(address);
  switch (isIP(plain)) {
    case 4:
      return !notPublic.check(plain, 'ipv4');
    case 6:
      return publicV6.check(plain, 'ipv6') && !notPublic.check(plain, 'ipv6');
    default:
      return false;
  }
}

/** Which addresses a servlet may reach: the public ones, and those that its operator names. */
export class AddressRules {
  readonly #named: BlockList;

  /** `named`: addresses and subnets, as `10.1.2.3` and `fd00::/8`. @throws RangeError */
  constructor(named: readonly string[]) {
    this.#named = listOf(named);
  }

  mayReach(address: string): boolean {
    const plain = withoutMapping(address);
    const version = isIP(plain);
    if (version === 0) return false;
    return isPublicAddress(plain) || this.#named.check(plain, version === 4 ? 'ipv4' : 'ipv6');
  }
}

/** An address of version 4 may come in the clothes of version 6. A zone (`%eth0`) is no part of an address that may be reached. */
function withoutMapping(address: string): string {
  const dotted = MAPPED.exec(address)?.[1];
  if (dotted !== undefined) return dotted;
  const [, high, low] = MAPPED_IN_HEX.exec(address) ?? [];
  if (high === undefined || low === undefined) return address.includes('%') ? '' : address;
  const bits = [Number.parseInt(high, 16), Number.parseInt(low, 16)] as const;
  return bits.flatMap((half) => [half >> 8, half & 255]).join('.');
}

function listOf(subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [address = '', bits, ...more] = subnet.split('/');
    const version = isIP(address);
    const whole = version === 4 ? 32 : 128;
    const prefix = bits === undefined ? whole : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN;
    if (version === 0 || more.length > 0 || !(prefix <= whole))
      throw new RangeError(`"${subnet}" is neither an address nor a subnet`);
    list.addSubnet(address, prefix, version === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}
