-- purpose: `tasker` is the contract's surface (views and functions for outside readers);
--          `tasker_core` holds the physical tables and hot functions. The migration runner creates tasker_core.
create schema tasker;
