/**
 * Devices by their names: flannel's, which are ours too.
 *
 * @module
 */
import type { LinkObject } from '../model/objects.ts';

const DEVICE_NAME = /^flannel(?:-v6)?\.([1-9]\d{0,7})$/;

/** Whether flannel gives devices such a name. */
export function isDeviceName(name: string): boolean {
  return DEVICE_NAME.test(name);
}

/** Why a device with a name of ours cannot be ours: flannel's are VXLAN devices with the VNI that the name says. */
export function foreignForm({ name, device }: LinkObject): string | undefined {
  if (device.type !== 'vxlan')
    return `it is ${device.name === '' ? 'hardware' : `of type ${device.name}`}, not vxlan`;
  return device.vni === Number(DEVICE_NAME.exec(name)?.[1])
    ? undefined
    : `its VNI is ${device.vni}, which its name does not say`;
}
