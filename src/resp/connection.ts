import type { Socket } from 'node:net';
import { limits } from '../model/limits.ts';
import type { Timer } from '../runtime/clock.ts';
import { OperationTurns } from '../runtime/operation-turns.ts';
import { peerCertificateOf } from '../runtime/peer-certificate.ts';
import type { UploadRoom } from '../runtime/upload-room.ts';
import { Client, type ClientParts } from './client.ts';
import type { CommandSpec } from './commands/command.ts';
import { findCommand, nameOf } from './commands/find-command.ts';
import { noTransactions, RefusedTransaction } from './commands/refused-transaction.ts';
import type { RespObserver } from './observer.ts';
import { Outgoing } from './outgoing.ts';
import {
  type Command,
  CommandParser,
  type ParserLimits,
  ProtocolError,
  type Wanted,
} from './protocol/command-parser.ts';
import { HeldValue, type Reply, RespError, Several } from './protocol/reply.ts';
import type { ReplyWriter } from './protocol/reply-writer.ts';
import { toRespError } from './resp-error.ts';
import { UploadPermit } from './upload-permit.ts';
import { WriteBatch } from './write-batch.ts';

export interface ConnectionParts extends ClientParts {
  readonly observer: RespObserver;
  /** Of all connections: what one writes into it, it takes before another one is run. */
  readonly writer: ReplyWriter;
  /** Begins a turn of a connection's commands, among those of all others. */
  readonly startTurn: (socket: Socket, run: () => void, isOver: () => boolean) => void;
  /** The connection has something to do; false where it may not be served. */
  readonly busy: (socket: Socket) => boolean;
  readonly idle: (socket: Socket) => void;
}

const bounds = {
  /** Reads under way at once; further commands wait unread. */
  underWayMax: 64,
  /** Bytes of replies that the client has not taken, beyond which nothing is read from it. */
  unsentBytesMax: 256 * 1024,
  /** Bytes of replies that are gathered before they are handed to the socket. */
  gatheredBytesMax: 64 * 1024,
  /** Milliseconds beyond a command's own for its reply to be taken, or for a hang-up. */
  lingerMs: 1000,
} as const;

const parserLimitsOf = ({ smallBytesMax, requestBytesMax }: UploadRoom): ParserLimits => ({
  /** A batch of the largest size, as MSET writes it. */
  argumentsMax: 2 * limits.batchMutationsMax + 1,
  argumentBytesMax: Math.min(limits.valueBytesMax, requestBytesMax),
  commandBytesMax: requestBytesMax,
  droppedBytesMax: 512 * 1024 * 1024,
  inlineBytesMax: 16 * 1024,
  smallBytesMax,
});

/** A reply's place in the order of the commands; undefined until it is there. */
interface Turn {
  reply: Reply | undefined;
}

/**
 * One client's connection. Commands are carried out in their order: what can be answered at once is, reads that must wait
 * wait beside each other, and everything else waits for what was before it. The replies of one turn leave in one write.
 *
 *     GET a (here) · GET b (loads) · GET c (here) · SET b · GET b
 *     → a at once; c is known and waits for b; SET waits for both; the last GET sees what SET wrote
 *
 * Nothing is read from a client that does not take its replies, or while as much is under way as may be.
 */
export class Connection {
  readonly client: Client;
  readonly #parts: ConnectionParts;
  readonly #socket: Socket;
  readonly #parser: CommandParser;
  readonly #upload: UploadPermit;
  readonly #transaction = new RefusedTransaction();
  readonly #commands: OperationTurns;
  readonly #outgoing: Outgoing;
  readonly #turns: Turn[] = [];
  /** Who waits for room for another message. */
  readonly #relieved: Array<() => void> = [];
  /** Came, and waits for those before it. */
  #waiting: Command | undefined;
  #batch: WriteBatch | undefined;
  /** Nothing may begin beside what is under way. */
  #isAlone = false;
  /** A large command waits for room to be gathered in. */
  #isRoomless = false;
  #isBusy = false;
  #isScheduled = false;
  /** The client sends no more. */
  #isInputOver = false;
  /** No more commands are taken. The connection ends with the last reply. */
  #isEnding = false;
  /** There are replies that the client has yet to take. */
  #isUntaken = false;
  #stallTimer: Timer | undefined;

  constructor(socket: Socket, parts: ConnectionParts, id: number) {
    this.#socket = socket;
    this.#parts = parts;
    const { uploads } = parts.rooms;
    this.#parser = new CommandParser(parserLimitsOf(uploads));
    this.#upload = new UploadPermit(uploads, socket);
    this.#outgoing = new Outgoing(socket);
    this.#commands = new OperationTurns((run, isOver) => parts.startTurn(socket, run, isOver), {
      isOver: () => socket.destroyed,
      given: () => this.#schedule(),
    });
    const quit = () => {
      this.#isEnding = true;
    };
    const side = {
      address: socket.remoteAddress ?? '',
      certificate: () => peerCertificateOf(socket),
      connection: socket,
    };
    this.client = new Client(parts, { push: (reply) => this.#push(reply), quit, caller: socket, side }, id);
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.#receive(bytes));
    socket.on('drain', () => {
      this.#outgoing.goOn();
      if (!socket.writableNeedDrain) {
        this.#isUntaken = false;
        socket.setTimeout(0);
      }
      this.#run();
    });
    socket.on('timeout', () => this.#cut('untaken-replies'));
    socket.on('end', () => {
      this.#isInputOver = true;
      this.#run();
    });
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#closed());
  }

  /** Takes no more commands, and hangs up once those under way are answered. */
  end(): void {
    this.#isEnding = true;
    this.#run();
  }

  #receive(bytes: Buffer): void {
    if (this.#isEnding) return;
    if (!this.#isBusy) {
      if (!this.#parts.busy(this.#socket)) {
        this.#parts.observer.rejected('too-many-connections');
        this.#socket.end(tooManyClients);
        this.end();
        return;
      }
      this.#isBusy = true;
    }
    this.#parser.push(bytes);
    this.#run();
  }

  /** Carries out what may be, sends what is answered, and settles whether more is read. */
  #run(): void {
    this.#isScheduled = false;
    if (this.#socket.destroyed) return;
    try {
      this.#answerTurns();
      this.#takeAll();
      this.#startBatch();
      this.#flush();
      this.#settle();
    } catch (thrown) {
      // A defect: what was gathered for this client must not reach another one.
      for (const release of this.#parts.writer.take().releases) release();
      this.#parts.logger.log('error', 'a Redis connection failed', { error: String(thrown) });
      this.#socket.destroy();
    }
  }

  #takeAll(): void {
    try {
      while (this.#mayTake()) {
        const command = this.#waiting ?? this.#parser.next();
        this.#waiting = undefined;
        if (command === undefined) {
          const { wanted } = this.#parser;
          if (wanted !== undefined && !this.#isRoomless) this.#makeRoom(wanted);
          return;
        }
        if (this.#take(command)) {
          this.#commands.take();
          continue;
        }
        this.#waiting = command;
        return;
      }
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown;
      this.#startBatch();
      this.#isEnding = true;
      this.#parts.observer.rejected('protocol-error');
      this.#answer(new RespError(`ERR Protocol error: ${thrown.message}`, 'protocol-error'));
    }
  }

  #mayTake(): boolean {
    if (this.#isAlone || this.#isEnding || this.#turns.length >= bounds.underWayMax) return false;
    if (this.#parts.writer.bytes >= bounds.gatheredBytesMax) this.#flush();
    return this.#outgoing.bytes <= bounds.unsentBytesMax && this.#commands.mayTake;
  }

  /** False where the command must wait for those before it. */
  #take(command: Command): boolean {
    const { args } = command;
    let spec: CommandSpec;
    try {
      const refused = this.#transaction.isOpen ? this.#transaction.refuse(nameOf(args[0])) : undefined;
      if (refused !== undefined) throw refused;
      spec = findCommand(command);
    } catch (thrown) {
      if (this.#batch !== undefined) return false;
      this.#upload.hand()();
      const name = nameOf(args[0]);
      if (name === 'multi') this.#transaction.isOpen = true;
      this.#answer(this.#counted(isKnown(thrown) ? name : 'unknown', this.#errorOf(thrown)));
      return true;
    }
    if (spec.order === 'write') {
      if (this.#turns.length > 0) return false;
      const batch = this.#batch ?? new WriteBatch(this.client);
      const errorOf = (thrown: unknown) => this.#errorOf(thrown);
      const added = batch.add(spec, args, { errorOf, hand: () => this.#upload.hand() });
      if (added === 'added') this.#batch = batch;
      if (added !== 'not-plain') return added === 'added';
    }
    // A large reply keeps its room until its turn: one that is behind could have what the one before it waits for.
    const mustWait = spec.order !== 'read' || this.client.mayGetLarge;
    if (this.#batch !== undefined || (mustWait && this.#turns.length > 0)) return false;
    this.#begin(spec, args);
    return true;
  }

  #begin(spec: CommandSpec, args: readonly Buffer[]): void {
    const { name, order } = spec;
    let reply: Reply | Promise<Reply>;
    try {
      reply = spec.run(this.client, args);
    } catch (thrown) {
      reply = this.#errorOf(thrown);
    }
    if (reply instanceof Promise) {
      const counted = reply.then(
        (value) => this.#counted(name, value),
        (thrown: unknown) => this.#counted(name, this.#errorOf(thrown)),
      );
      this.#wait(counted.finally(this.#upload.hand()), order !== 'read');
    } else {
      this.#counted(name, reply);
      // What the client sent may be in the reply.
      this.#answer(this.#upload.isHeld ? new HeldValue(reply, this.#upload.hand()) : reply);
    }
  }

  #startBatch(): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#batch = undefined;
    const replies = batch.write((thrown) => this.#errorOf(thrown));
    this.#wait(
      replies.then((all) => new Several(all.map(([name, reply]) => this.#counted(name, reply)))),
      true,
    );
  }

  /** Keeps the turn until the reply is there. It never rejects. */
  #wait(reply: Promise<Reply>, isAlone: boolean): void {
    const turn: Turn = { reply: undefined };
    this.#turns.push(turn);
    if (isAlone) this.#isAlone = true;
    void reply.then((value) => {
      turn.reply = value;
      if (isAlone) this.#isAlone = false;
      if (this.#socket.destroyed) letGo(turn);
      else this.#schedule();
    });
  }

  /** At its turn: now, where nothing waits. Within a run alone, which takes what was written. */
  #answer(reply: Reply): void {
    if (this.#turns.length > 0) this.#turns.push({ reply });
    else this.#parts.writer.write(reply, this.client.protocol);
  }

  #answerTurns(): void {
    if (this.#turns.length === 0) return;
    let answered = 0;
    for (const { reply } of this.#turns) {
      if (reply === undefined) break;
      this.#parts.writer.write(reply, this.client.protocol);
      answered++;
    }
    if (answered > 0) this.#turns.splice(0, answered);
  }

  /** Runs once all that is settled by now was told, so that it leaves together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.#run());
  }

  async #push(reply: Reply): Promise<void> {
    if (this.#socket.destroyed) return;
    this.#turns.push({ reply });
    this.#schedule();
    const isFull = () => {
      if (this.#socket.destroyed) return false;
      return this.#turns.length >= bounds.underWayMax || this.#outgoing.bytes > bounds.unsentBytesMax;
    };
    while (isFull()) await new Promise<void>((resolve) => this.#relieved.push(resolve));
  }

  #makeRoom(wanted: Wanted): void {
    this.#isRoomless = true;
    this.client
      .within((call) => this.#upload.take(wanted, call.signal))
      .then(
        (bytes) => {
          if (bytes === undefined) this.#parser.refuse('EXHAUSTED too many large commands wait for room in memory');
          else this.#parser.grant(bytes);
        },
        () => this.#parser.refuse('TIMEOUT there was no room in memory for the command in time'),
      )
      .finally(() => {
        this.#isRoomless = false;
        if (this.#socket.destroyed) this.#upload.hand()();
        else this.#schedule();
      });
  }

  #flush(): void {
    if (this.#parts.writer.bytes === 0) return;
    this.#outgoing.send(this.#parts.writer.take());
    this.#parts.writer.handedOn(this.#outgoing.bytes === 0);
    if (this.#socket.writableNeedDrain && !this.#isUntaken) this.#boundUntaken();
  }

  /** Whether more is read, and what is waited for. */
  #settle(): void {
    const socket = this.#socket;
    if (this.#relieved.length > 0) for (const relieve of this.#relieved.splice(0)) relieve();
    const isOver = this.#turns.length === 0 && this.#outgoing.isHandedOn;
    const isHeldBack = this.#isRoomless || this.#waiting !== undefined || !this.#mayTake();
    if (isOver && (this.#isEnding || (this.#isInputOver && !isHeldBack))) {
      this.#hangUp();
      return;
    }
    if (isHeldBack) socket.pause();
    else if (socket.isPaused()) socket.resume();
    this.#stallTimer?.cancel();
    this.#stallTimer = this.#upload.isHeld && !isHeldBack ? this.#cutStalled() : undefined;
    if (isOver && !isHeldBack && this.#isBusy && !this.#upload.isHeld) {
      this.#isBusy = false;
      this.#parts.idle(socket);
    }
  }

  #hangUp(): void {
    this.#isEnding = true;
    this.#socket.end();
    // Half closed it would count as a connection for as long as the other side likes.
    this.#stallTimer?.cancel();
    this.#stallTimer = this.#parts.clock.timer(bounds.lingerMs, () => {
      if (!this.#isUntaken) this.#socket.destroy();
    });
    this.#socket.resume();
  }

  /**
   * For a client that takes nothing of its replies: it holds memory and a connection. By the socket's own timer, which
   * begins anew with each piece that it is handed.
   */
  #boundUntaken(): void {
    this.#isUntaken = true;
    this.#socket.setTimeout(this.#parts.requestTimeoutMs + bounds.lingerMs);
  }

  /** For a client that stops within a large command, whose room others wait for. */
  #cutStalled(): Timer {
    const { clock, requestTimeoutMs } = this.#parts;
    return clock.timer(requestTimeoutMs, () => this.#cut('stalled'));
  }

  #cut(reason: string): void {
    this.#parts.observer.rejected(reason);
    this.#socket.destroy();
  }

  #closed(): void {
    this.#stallTimer?.cancel();
    this.client.close();
    if (!this.#isRoomless) this.#upload.hand()();
    for (const turn of this.#turns) letGo(turn);
    this.#outgoing.close();
    for (const relieve of this.#relieved.splice(0)) relieve();
  }

  #counted(name: string, reply: Reply): Reply {
    this.#parts.observer.answered(name, reply instanceof RespError ? 'error' : 'ok');
    if (reply instanceof RespError) this.#parts.observer.rejected(reply.reason);
    return reply;
  }

  #errorOf(thrown: unknown): RespError {
    return toRespError(thrown, (error) => {
      this.#parts.logger.log('error', 'a Redis command failed', { error: error.stack ?? error.message });
    });
  }
}

export const tooManyClients = '-ERR max number of clients reached\r\n';

/** Else the command's name may be anything that a client sent. */
function isKnown(thrown: unknown): boolean {
  return thrown instanceof RespError && !['unknown-command', noTransactions].includes(thrown.reason);
}

/** Nobody will take the reply. */
function letGo({ reply }: Turn): void {
  if (reply instanceof HeldValue) reply.release();
}
