import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { MeridianError } from '../../model/errors.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import type { UploadRoom } from '../../runtime/upload-room.ts';
import { messageBytesMax } from '../proto.ts';
import { MessageFrames } from './message-frames.ts';
import { exhausted, refuseStream } from './refuse-stream.ts';

export interface UploadGuardOptions {
  readonly room: UploadRoom;
  readonly clock: Clock;
  /** Milliseconds for which a request may be idle before it is whole. */
  readonly idleMs: number;
  /** True for calls that may be idle between their messages; each message takes room for itself. */
  readonly isFramed: (path: string) => boolean;
  /** True for calls whose request may be as large as a batch; any other request is one message. */
  readonly isBatch: (path: string) => boolean;
}

/** Looks for idle streams, in one span of `idleMs`. */
const looks = 4;

/** The request of one call, as it comes. */
interface Upload {
  readonly stream: ServerHttp2Stream;
  /** The connection, in whose share of the room it counts. Kept, as a closed stream has none. */
  readonly caller: object;
  bytesMax: number;
  /** Whole messages so far, where each takes room for itself. */
  messages: number;
  /** Why its caller gets no room, if it gets none: asked when it first wants some. */
  readonly refusal: () => MeridianError | undefined;
  isRefused: boolean;
  receivedBytes: number;
  /** Bytes of the room that it holds. */
  heldBytes: number;
  holdsBatch: boolean;
  isWaiting: boolean;
  /** The bytes at the last looks, and how many looks in a row saw just these. */
  seenBytes: number;
  idleLooks: number;
}

/**
 * Counts the bytes of each call's request as they come, before gRPC puts them together: a thousand calls that each send
 * all but the end of a message would hold it all in memory, and no handler would know. A request that is no longer
 * small takes room for what it may become, and is not read on before; an idle one is ended.
 */
export class UploadGuard {
  readonly #options: UploadGuardOptions;
  /** Requests that are not whole yet. */
  readonly #coming = new Set<Upload>();
  #timer: Timer | undefined;

  constructor(options: UploadGuardOptions) {
    this.#options = options;
  }

  /**
   * False if the call was refused. gRPC's library unpacks a compressed message whole before anything can check it,
   * three kilobytes into four megabytes, and many at once: such a call has room for that, or is not begun. A batch is
   * many messages, of which the last is unpacked while the first are kept.
   */
  admits(stream: ServerHttp2Stream, path: string, { 'grpc-encoding': encoding }: IncomingHttpHeaders): boolean {
    const { room, clock, isBatch } = this.#options;
    const { session: caller } = stream;
    if (encoding === undefined || encoding === 'identity' || caller === undefined) return true;
    if (isBatch(path)) {
      const message = `batches come uncompressed; this one says grpc-encoding: ${String(encoding)}`;
      refuseStream(stream, new MeridianError('UNIMPLEMENTED', message, { reason: 'compressed-batch' }), clock);
      return false;
    }
    if (!room.values.tryTake(messageBytesMax, caller)) {
      const refusal = exhausted('too many compressed requests under way', 'uploads-under-way', messageBytesMax);
      refuseStream(stream, refusal, clock);
      return false;
    }
    stream.once('close', () => room.values.give(messageBytesMax, caller));
    return true;
  }

  /** Call this once the library's own listeners are in place. */
  watch(stream: ServerHttp2Stream, path: string, refusal: () => MeridianError | undefined = () => undefined): void {
    const { isBatch, isFramed, room } = this.#options;
    const { session: caller } = stream;
    if (stream.destroyed || caller === undefined) return;
    const upload: Upload = {
      stream,
      caller,
      bytesMax: isBatch(path) ? room.valueBytesMax : messageBytesMax,
      messages: 0,
      refusal,
      isRefused: false,
      receivedBytes: 0,
      heldBytes: 0,
      holdsBatch: false,
      isWaiting: false,
      seenBytes: 0,
      idleLooks: 0,
    };
    if (isFramed(path)) {
      this.#watchMessages(upload);
      return;
    }
    this.#coming.add(upload);
    this.#timer ??= this.#look();
    // The library pauses the stream on purpose; another listener does not change that.
    stream.on('data', (chunk: Buffer) => {
      upload.receivedBytes += chunk.byteLength;
      if (upload.isWaiting) stream.pause();
      else if (upload.receivedBytes > room.smallBytesMax) this.#makeRoom(upload);
    });
    stream.once('end', () => this.#isWhole(upload));
    stream.once('close', () => this.#over(upload));
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#coming.clear();
  }

  #watchMessages(upload: Upload): void {
    const { stream } = upload;
    const begun = (bytes: number) => {
      // A length may be any number of 32 bits. The library refuses a longer message as soon as it has read that.
      upload.bytesMax = Math.min(bytes, messageBytesMax);
      this.#coming.add(upload);
      this.#timer ??= this.#look();
      if (bytes > this.#options.room.smallBytesMax) this.#makeRoom(upload);
    };
    const ended = () => {
      upload.messages++;
      this.#over(upload);
    };
    const frames = new MessageFrames(begun, ended);
    stream.on('data', (chunk: Buffer) => {
      upload.receivedBytes += chunk.byteLength;
      frames.take(chunk);
      if (upload.isWaiting) stream.pause();
    });
    stream.once('close', ended);
  }

  #makeRoom(upload: Upload): void {
    const { room } = this.#options;
    const { caller } = upload;
    if (upload.isRefused) return;
    if (upload.heldBytes === 0) {
      const refusal = upload.refusal();
      if (refusal !== undefined) {
        upload.isRefused = true;
        refuseStream(upload.stream, refusal, this.#options.clock);
        return;
      }
      const bytes = upload.bytesMax;
      const { messages } = upload;
      const hold = () => {
        // The message that was under way may be whole by now.
        if (upload.messages === messages) upload.heldBytes = bytes;
        else room.values.give(bytes, caller);
      };
      if (room.values.tryTake(bytes, caller)) hold();
      else
        this.#wait(
          upload,
          (signal) => room.values.take(bytes, caller, signal),
          hold,
          () => room.values.give(bytes, caller),
        );
    } else if (upload.receivedBytes > upload.bytesMax && !upload.holdsBatch && upload.bytesMax === room.valueBytesMax) {
      const hold = () => {
        upload.holdsBatch = true;
      };
      if (room.batches.tryAcquire()) hold();
      else
        this.#wait(
          upload,
          (signal) => room.batches.acquire(signal),
          hold,
          () => room.batches.release(),
        );
    }
  }

  #wait(upload: Upload, take: (signal: AbortSignal) => Promise<boolean>, hold: () => void, giveBack: () => void): void {
    const { stream } = upload;
    const gone = new AbortController();
    const onClose = () => gone.abort(new Error('the stream is closed'));
    stream.once('close', onClose);
    upload.isWaiting = true;
    stream.pause();
    take(gone.signal).then(
      (isTaken) => {
        stream.off('close', onClose);
        upload.isWaiting = false;
        if (!isTaken) {
          const refusal = exhausted('too many large requests under way', 'uploads-under-way', upload.bytesMax);
          refuseStream(stream, refusal, this.#options.clock);
        } else if (stream.closed || stream.destroyed) giveBack();
        else {
          hold();
          stream.resume();
        }
      },
      // Closed while it waited: it holds nothing.
      () => {},
    );
  }

  /** Room that was taken for bytes that did not come is free for others. */
  #isWhole(upload: Upload): void {
    this.#coming.delete(upload);
    const spareBytes = upload.heldBytes - upload.receivedBytes;
    if (spareBytes <= 0) return;
    upload.heldBytes -= spareBytes;
    this.#options.room.values.give(spareBytes, upload.caller);
  }

  #over(upload: Upload): void {
    const { room } = this.#options;
    this.#coming.delete(upload);
    if (upload.heldBytes > 0) room.values.give(upload.heldBytes, upload.caller);
    if (upload.holdsBatch) room.batches.release();
    upload.heldBytes = 0;
    upload.holdsBatch = false;
  }

  #look(): Timer {
    const { clock, idleMs } = this.#options;
    return clock.timer(idleMs / looks, () => {
      for (const upload of [...this.#coming]) {
        // A paused stream is one that the node itself does not read on, as its calls wait for others or for their reader.
        const stands = !upload.stream.isPaused() && upload.seenBytes === upload.receivedBytes;
        upload.idleLooks = stands ? upload.idleLooks + 1 : 0;
        upload.seenBytes = upload.receivedBytes;
        if (upload.idleLooks > looks) this.#end(upload);
      }
      this.#timer = this.#coming.size === 0 ? undefined : this.#look();
    });
  }

  #end(upload: Upload): void {
    const { idleMs } = this.#options;
    this.#coming.delete(upload);
    const message = `the caller sent nothing for ${idleMs} ms`;
    refuseStream(
      upload.stream,
      new MeridianError('DEADLINE_EXCEEDED', message, { reason: 'stream-idle', limit: idleMs }),
      this.#options.clock,
    );
  }
}
